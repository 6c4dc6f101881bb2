package resources

import (
	"encoding/json"
	"slices"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// Keys of the hubs' Secret that hold what the rotation of token secrets goes by.
const (
	fileTokenSecret   = "jwt-secret"
	filePrevious      = "jwt-previous"
	keyReplacedTokens = "jwt-replaced" // JSON list, the last one first
	keyTokenSource    = "jwt-source"   // the reference that jwt-secret was read from
)

// mostReplaced is the number of replaced secrets that still verify tokens.
// Nothing says when the last token of one expires, so they are kept until as many
// newer ones came.
const mostReplaced = 3

// tokenSecrets gives h the secret of auth.secretRef, and those that still verify
// tokens beside it: of auth.previousSecretRefs, and the ones whose place it took
// when the data of the Secret changed. The latter are remembered in the hubs' own
// Secret. Naming another Secret or key forgets them: that is the way to refuse
// an old secret at once.
func (b *builder) tokenSecrets(h *hubSettings, auth *v1alpha1.Auth) {
	if auth.SecretRef == nil {
		return
	}
	current := b.reference("spec.auth.secretRef", *auth.SecretRef)
	var accepted []string
	for _, ref := range auth.PreviousSecretRefs {
		accepted = append(accepted, b.reference("spec.auth.previousSecretRefs", ref))
	}
	if len(b.problems) > 0 {
		return
	}
	source := auth.SecretRef.Name + "/" + auth.SecretRef.Key
	replaced := replacedTokens(b.f.Secrets[HubName(b.c)], source, current, accepted)
	h.secret("jwtSecretKey", fileTokenSecret, current)
	h.secretList("jwtPreviousSecretKeys", filePrevious, slices.Concat(accepted, replaced))
	h.files[keyTokenSource] = []byte(source)
	if len(replaced) > 0 {
		h.files[keyReplacedTokens] = jsonList(replaced)
	}
}

// replacedTokens returns the secrets that current took the place of, the last one
// first, by what the hubs have now. Applying the result changes nothing further:
// it is the same the next time.
func replacedTokens(have map[string][]byte, source, current string, accepted []string) []string {
	if string(have[keyTokenSource]) != source {
		return nil
	}
	var before []string
	if err := json.Unmarshal(have[keyReplacedTokens], &before); err != nil {
		before = nil // absent, or edited by hand
	}
	var replaced []string
	for _, secret := range append([]string{string(have[fileTokenSecret])}, before...) {
		known := secret == "" || secret == current || slices.Contains(accepted, secret) || slices.Contains(replaced, secret)
		if !known && len(replaced) < mostReplaced {
			replaced = append(replaced, secret)
		}
	}
	return replaced
}

// jsonList writes texts as JSON, which config.ApplyEnv reads for lists.
func jsonList(texts []string) []byte {
	data, err := json.Marshal(texts)
	if err != nil {
		return nil // texts always can be written
	}
	return data
}
