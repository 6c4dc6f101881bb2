package resources

import (
	"maps"
	"slices"
	"strings"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/pkg/config"
)

// What the hub reads, below one folder.
const (
	configDir  = "/etc/gohub"
	configFile = "hub.yaml"
	tlsDir     = "tls"  // of spec.tls
	meshDir    = "mesh" // of spec.bus.embedded.tls
)

// hubSettings are what the hubs are told: a configuration without secrets, and
// secrets as files.
type hubSettings struct {
	config  config.Config
	secrets []secretSetting
	files   map[string][]byte // the data of the hubs' Secret
	mounts  []certificate
	hashed  [][]byte // further data that roll the hubs when they change
}

// secretSetting is a key of the configuration whose value is in a file.
type secretSetting struct{ path, file string }

// certificate is a Secret of the user's that is mounted itself and not copied: the
// hubs read it again when it changes.
type certificate struct {
	secret, dir string
	keys        []string
}

// secret has the hub read the key at path from a file with the text.
func (h *hubSettings) secret(path, file, text string) {
	if text != "" {
		h.secrets = append(h.secrets, secretSetting{path, file})
		h.files[file] = []byte(text)
	}
}

func (h *hubSettings) secretList(path, file string, texts []string) {
	if len(texts) > 0 {
		h.secret(path, file, string(jsonList(texts)))
	}
}

// file adds a file, and returns its path in the pod.
func (h *hubSettings) file(name string, data []byte) string {
	h.files[name] = data
	return configDir + "/" + name
}

// mount mounts keys of a certificate's Secret, and returns the folder.
func (h *hubSettings) mount(secret, dir string, keys ...string) string {
	h.mounts = append(h.mounts, certificate{secret, dir, keys})
	return configDir + "/" + dir
}

// hashes returns those of the configuration file and of the secrets.
func (h *hubSettings) hashes(file string) map[string]string {
	var parts [][]byte
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		parts = append(parts, []byte(name), h.files[name])
	}
	return map[string]string{
		AnnotationConfigHash: hash([]byte(file)),
		AnnotationSecretHash: hash(append(parts, h.hashed...)...),
	}
}

// hubSettings puts together what the hubs are told, and checks it as they do.
func (b *builder) hubSettings() *hubSettings {
	h := &hubSettings{files: map[string][]byte{}}
	spec := b.c.Spec
	h.config = config.Config{
		Address:       port(PortClients),
		AdminAddress:  port(PortAdmin),
		EnableCluster: true,
		BusType:       string(spec.Bus.Type),
		Drain:         hubDrain(spec.Drain),
	}
	setLimits(&h.config, spec.Limits)
	h.config.Rooms = hubRooms(spec.Rooms)
	b.adminKey(h)
	b.auth(h)
	b.tls(h)
	b.bus(h)
	b.ownKeys(h)
	b.check(h)
	return h
}

const fileAdminKey = "api-key"

func (b *builder) adminKey(h *hubSettings) {
	field := "the generated admin key"
	if b.c.Spec.AdminKeyRef != nil {
		field = "spec.adminKeyRef"
	}
	h.secret("apiKey", fileAdminKey, b.reference(field, adminKeyRef(b.c)))
}

func adminKeyRef(c *v1alpha1.GoHubCluster) v1alpha1.SecretKeyRef {
	if own := c.Spec.AdminKeyRef; own != nil {
		return *own
	}
	return v1alpha1.SecretKeyRef{Name: AdminName(c), Key: AdminKey}
}

// AdminKeyOf returns the key to the hubs' admin API by the data of the Secrets of
// [SecretNames]; empty where there is none.
func AdminKeyOf(c *v1alpha1.GoHubCluster, secrets map[string]map[string][]byte) string {
	ref := adminKeyRef(c)
	return strings.TrimRight(string(secrets[ref.Name][ref.Key]), "\r\n")
}

// GivenAdminKey returns the admin key that was rendered for the hubs last; empty
// where none was.
func GivenAdminKey(c *v1alpha1.GoHubCluster, secrets map[string]map[string][]byte) string {
	return string(secrets[HubName(c)][fileAdminKey])
}

func (b *builder) tls(h *hubSettings) {
	tls := b.c.Spec.TLS
	if tls == nil {
		return
	}
	b.certificate("spec.tls.secretName", tls.SecretName, keyCert, keyPrivate)
	dir := h.mount(tls.SecretName, tlsDir, keyCert, keyPrivate)
	h.config.TLS = config.TLSFiles{CertFile: dir + "/" + keyCert, KeyFile: dir + "/" + keyPrivate}
}

// The keys of Secrets with certificates, as cert-manager writes them.
const (
	keyCert    = "tls.crt"
	keyPrivate = "tls.key"
	keyCA      = "ca.crt"
)

// certificate returns the data of a Secret that must have the keys.
func (b *builder) certificate(field, name string, keys ...string) map[string][]byte {
	data := b.secret(field, name)
	if data == nil {
		return nil
	}
	for _, key := range keys {
		b.valueOf(field, name, key, data)
	}
	return data
}

// check finds what the hub would refuse.
func (b *builder) check(h *hubSettings) {
	if len(b.problems) > 0 {
		return // the rest would only follow from these
	}
	full := h.config
	for _, s := range h.secrets {
		if err := config.Set(&full, s.path, string(h.files[s.file])); err != nil {
			b.invalid(v1alpha1.ReasonHubConfigInvalid, err.Error())
		}
	}
	if err := full.Validate(); err != nil {
		message := "the hub would refuse its configuration: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		b.invalid(v1alpha1.ReasonHubConfigInvalid, message)
	}
	for _, rule := range b.c.Spec.Rooms {
		if rule.HistorySize > 0 && h.config.BusType == string(v1alpha1.BusNATS) && !h.config.NATS.JetStream.Enable {
			b.invalid(v1alpha1.ReasonHistoryNeedsStorage, "spec.rooms: a historySize needs a bus that keeps it: "+
				"create the cluster with jetStream on bus.nats, or with bus.type redis or embedded, or remove historySize")
			return
		}
	}
}
