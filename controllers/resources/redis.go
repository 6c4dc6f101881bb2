package resources

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

const (
	redisConfigDir  = "/etc/redis"
	redisConfigFile = "redis.conf"
	redisGrace      = 30 // seconds, for a last write of the append-only file
)

// redis builds the Redis that the operator runs.
func (b *builder) redis() Server {
	r := managedRedis(b.c)
	if r == nil {
		return Server{}
	}
	config := []byte(redisConfig(r, b.credential(RedisName(b.c), keyPassword)))
	// One address that stays when the pod is another: nobody waits for names.
	service := b.service(RedisName(b.c), ComponentRedis)
	service.Spec.WithType(corev1.ServiceTypeClusterIP).WithPorts(servicePort("redis", PortRedis, "redis"))
	return Server{
		Config: b.opaque(RedisName(b.c), ComponentRedis, map[string][]byte{redisConfigFile: config}),
		// It calls nobody, not even a name server.
		NetworkPolicy: b.networkPolicy(RedisName(b.c), ComponentRedis, []*ingress{from(b.pods(ComponentHub), PortRedis)}, nil),
		Service:       service,
		StatefulSet:   b.redisSet(r, config),
	}
}

func (b *builder) redisSet(r *v1alpha1.ManagedRedis, config []byte) *appsv1ac.StatefulSetApplyConfiguration {
	template := b.podTemplate(ComponentRedis, r.Pod, map[string]string{AnnotationConfigHash: hash(config)})
	c := b.redisContainer(r)
	configMount(template, c, RedisName(b.c), redisConfigDir)
	if r.Storage == nil {
		scratch(template, c, dataVolume, dataDir)
	} else {
		c.WithVolumeMounts(corev1ac.VolumeMount().WithName(dataVolume).WithMountPath(dataDir))
	}
	template.Spec.
		WithAutomountServiceAccountToken(false).
		WithTerminationGracePeriodSeconds(redisGrace).
		WithContainers(c)
	set := b.serverSet(RedisName(b.c), ComponentRedis, 1, template)
	if r.Storage != nil {
		b.withVolume(set, ComponentRedis, *r.Storage)
	}
	return set
}

func (b *builder) redisContainer(r *v1alpha1.ManagedRedis) *corev1ac.ContainerApplyConfiguration {
	image := r.Image
	if image == "" {
		image = b.f.Images.Redis
	}
	// It refuses commands while it reads its data: not ready, but not dead.
	ping := corev1ac.ExecAction().WithCommand("redis-cli", "-e", "ping")
	dial := corev1ac.TCPSocketAction().WithPort(intstr.FromString("redis"))
	return b.container("redis", image, r.Pod).
		// Not by the image's own entry point, which may want to be root.
		WithCommand("redis-server", redisConfigDir+"/"+redisConfigFile).
		WithEnv(corev1ac.EnvVar().WithName("REDISCLI_AUTH").WithValueFrom(corev1ac.EnvVarSource().
			WithSecretKeyRef(corev1ac.SecretKeySelector().WithName(credentialsName(RedisName(b.c))).WithKey(keyPassword)))).
		WithPorts(containerPort("redis", PortRedis)).
		WithStartupProbe(probe(2, 5, 450).WithExec(ping)).
		WithReadinessProbe(probe(5, 5, 3).WithExec(ping)).
		WithLivenessProbe(probe(10, 5, 6).WithTCPSocket(dial))
}

// redisConfig renders the server's configuration. It never evicts: an evicted
// history is a lost one, while a refused write is told to its publisher.
func redisConfig(r *v1alpha1.ManagedRedis, password string) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# Rendered by the operator; edits are undone.")
	line("port %d", PortRedis)
	line("protected-mode no")
	line("requirepass %s", quoted(password))
	line("dir %s", quoted(dataDir))
	line("save %s", quoted(""))
	if r.Storage != nil {
		line("appendonly yes")
		line("appendfsync everysec")
	}
	line("maxmemory-policy noeviction")
	if limit := memoryShare(r.Pod.Resources.Limits.Memory().DeepCopy(), 3, 4); limit > 0 {
		// Beside the data there are the clients' buffers, and the copy made while
		// the append-only file is rewritten.
		line("maxmemory %d", limit)
	}
	return text.String()
}
