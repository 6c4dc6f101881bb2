package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/hubclient"
	"github.com/chenxilol/gohub/controllers/hubstats"
	"github.com/chenxilol/gohub/controllers/resources"
)

// secretsIndex finds the clusters that a Secret is for, by its name.
const secretsIndex = "secrets"

// Hubs are the calls to single hubs; *hubclient.Client has them.
type Hubs interface {
	hubstats.Source
	drainer
}

// Options say how clusters are reconciled.
type Options struct {
	// Images are those used where a spec names none.
	Images resources.Images
	// Operator says which pods are the operator's.
	Operator resources.Operator
	// Workers is how many clusters are reconciled at the same time; 0 is 4.
	Workers int
	// Hubs calls hubs; nil is a client with its default timeout.
	Hubs Hubs
	// HubURL returns the URL of a pod's admin API; nil takes the pod's address.
	HubURL func(*corev1.Pod) string
	// PollEvery is how often hubs are asked for their stats, 0 is 10 seconds; while
	// hubs drain, or autoscaling is on, they are asked more often.
	PollEvery time.Duration
	// Registry takes the metrics; nil is that of controller-runtime.
	Registry prometheus.Registerer
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (o *Options) fill() {
	if o.Workers <= 0 {
		o.Workers = 4
	}
	if o.Hubs == nil {
		o.Hubs = hubclient.New(hubclient.Options{})
	}
	if o.HubURL == nil {
		o.HubURL = func(p *corev1.Pod) string { return hubclient.PodURL(p.Status.PodIP, resources.PortAdmin, false) }
	}
	if o.PollEvery <= 0 {
		o.PollEvery = 10 * time.Second
	}
	if o.Registry == nil {
		o.Registry = ctrlmetrics.Registry
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// NewScheme returns the scheme of all objects that the operator knows.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(v1alpha1.AddToScheme, resources.AddToScheme)
	if err := builder.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("make the scheme: %w", err)
	}
	return scheme, nil
}

// CacheOptions are those of the manager's cache: of these namespaces, or of all
// where there are none. It holds what belongs to clusters only; of other Secrets
// it holds the names.
func CacheOptions(namespaces []string) cache.Options {
	ours := labels.SelectorFromSet(labels.Set{resources.LabelManagedBy: resources.ManagedBy})
	pods := labels.SelectorFromSet(labels.Set{resources.LabelName: resources.AppName})
	options := cache.Options{
		// By kind this is not possible: the CRDs of some may be missing.
		DefaultLabelSelector: ours,
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.GoHubCluster{}:        {Label: labels.Everything(), Transform: cache.TransformStripManagedFields()},
			&corev1.Secret{}:                {Label: labels.Everything(), Transform: onlyVersion},
			&corev1.Pod{}:                   {Label: pods, Transform: cache.TransformStripManagedFields()},
			&corev1.PersistentVolumeClaim{}: {Label: pods, Transform: cache.TransformStripManagedFields()},
			&appsv1.ReplicaSet{}:            {Label: pods, Transform: cache.TransformStripManagedFields()},
		},
	}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// onlyVersion leaves of a Secret's metadata what tells that it has changed.
func onlyVersion(object any) (any, error) {
	if m, ok := object.(*metav1.PartialObjectMetadata); ok {
		return &metav1.PartialObjectMetadata{TypeMeta: m.TypeMeta, ObjectMeta: metav1.ObjectMeta{
			Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion,
		}}, nil
	}
	return object, nil
}

// Setup adds the controller of GoHubClusters to a manager that was made with
// NewScheme and CacheOptions, and whose client reads unstructured objects from
// the cache.
func Setup(mgr manager.Manager, o Options) error {
	o.fill()
	triggers := make(chan event.GenericEvent)
	r := &Reconciler{
		options: o, client: mgr.GetClient(), direct: mgr.GetAPIReader(), events: mgr.GetEventRecorder(Manager),
		secrets: newSecretStore(mgr.GetClient(), mgr.GetAPIReader()), memories: newMemories(),
	}
	trigger := newTrigger(triggers)
	r.stats = hubstats.New(o.Hubs, trigger.cluster)
	var err error
	if r.metrics, err = newMetrics(o.Registry, mgr.GetClient()); err != nil {
		return err
	}
	kinds, err := newOptionalKinds(mgr, trigger)
	if err != nil {
		return err
	}
	r.optional = kinds
	err = mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.GoHubCluster{}, secretsIndex, func(o client.Object) []string {
		return resources.SecretNames(o.(*v1alpha1.GoHubCluster))
	})
	if err != nil {
		return fmt.Errorf("index the clusters by their secrets: %w", err)
	}
	c, err := controller.New("gohubcluster", mgr, controller.Options{
		Reconciler: r, MaxConcurrentReconciles: o.Workers,
	})
	if err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	if err := r.watch(mgr, c, triggers); err != nil {
		return err
	}
	kinds.controller = c
	for _, runnable := range []manager.Runnable{kinds, trigger, manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		r.stats.Close()
		return nil
	})} {
		if err := mgr.Add(runnable); err != nil {
			return fmt.Errorf("add to the manager: %w", err)
		}
	}
	return nil
}

// watch has c hear of everything that a cluster depends on.
func (r *Reconciler) watch(mgr manager.Manager, c controller.Controller, triggers chan event.GenericEvent) error {
	sources := []source.Source{
		source.Kind[client.Object](mgr.GetCache(), &v1alpha1.GoHubCluster{}, &handler.EnqueueRequestForObject{},
			predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})),
		source.Kind[client.Object](mgr.GetCache(), secretMetadata(), handler.EnqueueRequestsFromMapFunc(r.clustersOfSecret)),
		source.Kind[client.Object](mgr.GetCache(), &corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(clusterOfInstance)),
		source.Kind[client.Object](mgr.GetCache(), &corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(clusterOfInstance)),
		source.Channel(triggers, &handler.EnqueueRequestForObject{}),
	}
	for _, kind := range resources.Kinds() {
		if kind.Kind != "Secret" && r.optional.has(kind) {
			sources = append(sources, ownedSource(mgr, kind))
		}
	}
	for _, s := range sources {
		if err := c.Watch(s); err != nil {
			return fmt.Errorf("watch %v: %w", s, err)
		}
	}
	return nil
}

// ownedSource is the children of a kind.
func ownedSource(mgr manager.Manager, kind resources.Kind) source.Source {
	owner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.GoHubCluster{}, handler.OnlyControllerOwner())
	return source.Kind[client.Object](mgr.GetCache(), kind.New(), owner, predicate.ResourceVersionChangedPredicate{})
}

// clustersOfSecret finds the clusters that read a Secret, or own it.
func (r *Reconciler) clustersOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	list := &v1alpha1.GoHubClusterList{}
	err := r.client.List(ctx, list, client.InNamespace(secret.GetNamespace()), client.MatchingFields{secretsIndex: secret.GetName()})
	if err != nil { // the cache is local: only when it is closed
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// clusterOfInstance finds a pod's or claim's cluster by its labels.
func clusterOfInstance(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[resources.LabelInstance]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}
