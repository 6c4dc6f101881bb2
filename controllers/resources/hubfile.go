package resources

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/pkg/config"
)

// ownKeys lays spec.config over the configuration, where it holds no key that a
// field of the spec is for.
func (b *builder) ownKeys(h *hubSettings) {
	if b.c.Spec.Config == nil || len(b.c.Spec.Config.Raw) == 0 {
		return
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b.c.Spec.Config.Raw, &keys); err != nil {
		b.invalid(v1alpha1.ReasonHubConfigInvalid, "spec.config must be an object with the keys of docs/configuration.md")
		return
	}
	reserved := reservedKeys()
	var taken []string
	for key := range keys {
		if instead, ok := reserved[key]; ok {
			taken = append(taken, fmt.Sprintf("%s: %s", key, instead))
		}
	}
	if len(taken) > 0 {
		slices.Sort(taken)
		b.invalid(v1alpha1.ReasonConfigKeyReserved, "spec.config holds keys that the operator sets: "+strings.Join(taken, "; "))
		return
	}
	if err := config.ApplyJSON(&h.config, b.c.Spec.Config.Raw); err != nil {
		message := "spec.config: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		b.invalid(v1alpha1.ReasonHubConfigInvalid, message)
	}
}

// reservedKeys are the configuration's keys that spec.config must not hold, each
// with what to do instead.
func reservedKeys() map[string]string {
	keys := map[string]string{
		"address":      "remove it; the Service's port is spec.service.port",
		"adminAddress": "remove it; the admin API is at the Service <name>-admin",
		"nodeID":       "remove it; each hub has the name of its pod",
	}
	use := func(field string, names ...string) {
		for _, name := range names {
			keys[name] = "use spec." + field
		}
	}
	use("adminKeyRef", "apiKey")
	use("tls", "tls")
	use("auth", "enableAuth", "allowAnonymous", "anonymousPermissions", "jwtPublicKeys", "jwksURL", "jwtAlgorithm",
		"jwtIssuer", "jwtAudience", "jwtSubjectClaim", "jwtLeeway", "requireExpiry")
	use("auth.secretRef", "jwtSecretKey")
	use("auth.previousSecretRefs", "jwtPreviousSecretKeys")
	use("limits", "maxMessageSize", "maxConnections", "rateLimit", "slowConsumer", "sendQueueBytes",
		"maxRooms", "maxRoomsPerClient", "maxRoomsCreatedPerClient")
	use("rooms", "rooms")
	use("bus", "enableCluster", "busType", "nats", "redis", "embedded")
	use("drain", "drain")
	return keys
}

// configText renders the configuration file. Zeros are left out: they are the
// defaults, or what a program of the user's own has set in its code.
func configText(cfg config.Config) (string, error) {
	text, err := yaml.Marshal(sparse(reflect.ValueOf(cfg)))
	if err != nil {
		return "", fmt.Errorf("render the configuration: %w", err)
	}
	return string(text), nil
}

// sparse returns the keys of a structure that are not zero.
func sparse(v reflect.Value) map[string]any {
	set := map[string]any{}
	for i := range v.NumField() {
		field, key := v.Field(i), v.Type().Field(i).Tag.Get("json")
		switch {
		case field.IsZero() || field.Kind() == reflect.Slice && field.Len() == 0:
		case field.Kind() == reflect.Struct:
			set[key] = sparse(field)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			var items []any
			for j := range field.Len() {
				items = append(items, sparse(field.Index(j)))
			}
			set[key] = items
		default:
			set[key] = field.Interface()
		}
	}
	return set
}
