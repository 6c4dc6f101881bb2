package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Permission is what a client may do: one of the eight permissions, optionally
// followed by a colon and a pattern of rooms, such as "join:room:chat.*".
// admin:system cannot be limited to rooms.
//
// +kubebuilder:validation:MaxLength=600
// +kubebuilder:validation:XValidation:rule="self.matches('^((read:message|send:message|create:room|delete:room|join:room|leave:room|admin:room)(:.+)?|admin:system)$')",message="must be read:message, send:message, create:room, delete:room, join:room, leave:room or admin:room, optionally followed by a colon and a pattern of rooms, or admin:system"
type Permission string

// Auth says which tokens connections must carry.
//
// +kubebuilder:validation:XValidation:rule="(has(self.secretRef) ? 1 : 0) + (has(self.publicKeys) ? 1 : 0) + (has(self.jwksURL) ? 1 : 0) == 1",message="auth needs exactly one kind of key: secretRef (a shared secret), publicKeys or jwksURL; without any, remove auth"
// +kubebuilder:validation:XValidation:rule="!has(self.previousSecretRefs) || has(self.secretRef)",message="auth.previousSecretRefs needs auth.secretRef, the secret that took their place"
// +kubebuilder:validation:XValidation:rule="!has(self.algorithm) || self.algorithm.startsWith('HS') == has(self.secretRef)",message="auth.algorithm does not fit the key: secretRef takes HS256, HS384 and HS512, publicKeys and jwksURL take the others; or leave it out"
// +kubebuilder:validation:XValidation:rule="!has(self.anonymousPermissions) || (has(self.allowAnonymous) && self.allowAnonymous)",message="auth.anonymousPermissions has no effect without auth.allowAnonymous: true"
type Auth struct {
	// SecretRef is the Secret key with the shared secret of tokens signed with
	// HS256, HS384 or HS512; 32 bytes or more. When its data changes, the hubs
	// are replaced by ones that accept the new secret and the old one, so that no
	// unexpired token is refused; sign with the new one when Progressing is False.
	// Use it, publicKeys or jwksURL.
	// +optional
	SecretRef *SecretKeyRef `json:"secretRef,omitempty"`

	// PreviousSecretRefs are Secret keys with shared secrets that still verify
	// tokens. Default none, at most 8. Remove one when the last token signed with
	// it has expired.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	PreviousSecretRefs []SecretKeyRef `json:"previousSecretRefs,omitempty"`

	// PublicKeys are public keys or certificates in PEM form that verify tokens
	// signed with RSA (2048 bits or more), ECDSA or Ed25519 keys. Default none,
	// at most 16. Use them, secretRef or jwksURL.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.contains('-----BEGIN ') && !k.contains('PRIVATE KEY-----'))",message="auth.publicKeys must be PEM blocks of public keys or certificates; a private key belongs to the issuer alone"
	PublicKeys []string `json:"publicKeys,omitempty"`

	// JWKSURL is the http or https address of the issuer's JSON Web Key Set. Keys
	// are fetched from this address only, whatever a token names; the network
	// policy lets the hubs reach its port. Default none. Use it, secretRef or
	// publicKeys.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/@?#\\\\s]+(/\\\\S*)?$')",message="auth.jwksURL must be an https:// or http:// address with a host and without credentials"
	JWKSURL string `json:"jwksURL,omitempty"`

	// Algorithm is the one algorithm accepted. Default HS256 for a shared secret,
	// and for public keys the one that belongs to the kind of key (RS256, ES256,
	// ES384, ES512 or EdDSA).
	// +optional
	// +kubebuilder:validation:Enum=HS256;HS384;HS512;RS256;RS384;RS512;PS256;PS384;PS512;ES256;ES384;ES512;EdDSA
	Algorithm string `json:"algorithm,omitempty"`

	// Issuer is the iss claim a token must carry. Empty does not check it.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Issuer string `json:"issuer,omitempty"`

	// Audience is the aud claim a token must contain. Empty does not check it.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Audience string `json:"audience,omitempty"`

	// SubjectClaim names the claim that becomes the client's id. Default sub. It
	// cannot be iss, aud, exp, nbf, iat or permissions.
	// +optional
	// +kubebuilder:default=sub
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!(self in ['iss', 'aud', 'exp', 'nbf', 'iat', 'permissions'])",message="auth.subjectClaim has a meaning of its own: name another claim, such as sub, user_id or username"
	SubjectClaim string `json:"subjectClaim,omitempty"`

	// Leeway is the clock difference allowed when exp and nbf are checked, such
	// as "30s". Default 30s, at most 1h; "0s" is the default too.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(\\\\.[0-9]{1,3})?(ms|s|m|h))+$') && duration(self) <= duration('1h')",message="auth.leeway must be a duration with a unit, such as 30s or 1m30s, of at most 1h"
	Leeway metav1.Duration `json:"leeway,omitzero"`

	// RequireExpiry refuses tokens without an exp claim. Default false: such a
	// token never expires.
	// +optional
	RequireExpiry bool `json:"requireExpiry,omitempty"`

	// AllowAnonymous lets connections without a token in; they hold
	// anonymousPermissions. Default false.
	// +optional
	AllowAnonymous bool `json:"allowAnonymous,omitempty"`

	// AnonymousPermissions are held by connections without a token. Default none,
	// at most 64. Needs allowAnonymous.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	AnonymousPermissions []Permission `json:"anonymousPermissions,omitempty"`
}
