package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

// secretStore reads Secrets: their versions are watched, and the data of those
// that are asked for is read when the version is new. So the operator holds the
// data of no other Secret.
type secretStore struct {
	cached client.Reader // metadata
	direct client.Reader // the API server itself

	mu   sync.Mutex // guards have
	have map[types.NamespacedName]*corev1.Secret
}

func newSecretStore(cached, direct client.Reader) *secretStore {
	return &secretStore{cached: cached, direct: direct, have: map[types.NamespacedName]*corev1.Secret{}}
}

func secretMetadata() *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}}
}

// get returns a Secret, which is not to be changed, and nil where there is none.
func (s *secretStore) get(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	m := secretMetadata()
	err := s.cached.Get(ctx, key, m)
	if apierrors.IsNotFound(err) {
		s.forget(key)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for Secret %s: %w", key, err)
	}
	s.mu.Lock()
	have := s.have[key]
	s.mu.Unlock()
	if have != nil && have.UID == m.UID && have.ResourceVersion == m.ResourceVersion {
		return have, nil
	}
	return s.read(ctx, key)
}

// read reads a Secret from the API server, and returns nil where there is none.
func (s *secretStore) read(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.direct.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		s.forget(key)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", key, err)
	}
	s.mu.Lock()
	s.have[key] = secret
	s.mu.Unlock()
	return secret, nil
}

func (s *secretStore) forget(key types.NamespacedName) {
	s.mu.Lock()
	delete(s.have, key)
	s.mu.Unlock()
}

// readSecrets makes the generated Secrets that are missing, and returns the data
// of all that c reads.
func (r *Reconciler) readSecrets(ctx context.Context, c *v1alpha1.GoHubCluster) (map[string]map[string][]byte, error) {
	made := map[string]*corev1.Secret{}
	for _, g := range resources.GeneratedSecrets(c) {
		secret, err := r.generate(ctx, c, g)
		if err != nil {
			return nil, err
		}
		made[g.Name] = secret
	}
	data := map[string]map[string][]byte{}
	for _, name := range resources.SecretNames(c) {
		secret := made[name]
		if secret == nil {
			var err error
			if secret, err = r.secrets.get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: name}); err != nil {
				return nil, err
			}
		}
		if secret != nil {
			data[name] = secret.Data
		}
	}
	return data, nil
}

// generate makes what is missing of a generated Secret, and returns it. A value
// that is there is never changed: what runs was started with it.
func (r *Reconciler) generate(ctx context.Context, c *v1alpha1.GoHubCluster, g resources.Generated) (*corev1.Secret, error) {
	key := types.NamespacedName{Namespace: c.Namespace, Name: g.Name}
	secret, err := r.secrets.get(ctx, key)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		// The cache may not have heard of it yet.
		if secret, err = r.secrets.read(ctx, key); err != nil {
			return nil, err
		}
	}
	data := map[string][]byte{}
	for _, name := range g.Keys {
		if secret == nil || len(secret.Data[name]) == 0 {
			data[name] = []byte(rand.Text())
		}
	}
	switch {
	case secret == nil:
		err = r.client.Create(ctx, g.NewSecret(c, data), client.FieldOwner(generator))
	case len(data) == 0:
		return secret, nil
	default:
		// Only over the version in which the values are missing.
		patch := secret.DeepCopy()
		if patch.Data == nil {
			patch.Data = map[string][]byte{}
		}
		for name, value := range data {
			patch.Data[name] = value
		}
		err = r.client.Patch(ctx, patch, client.MergeFromWithOptions(secret, client.MergeFromWithOptimisticLock{}), client.FieldOwner(generator))
	}
	if err != nil {
		return nil, fmt.Errorf("generate Secret %s: %w", key, err)
	}
	return r.secrets.read(ctx, key)
}
