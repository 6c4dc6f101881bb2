package resources

import (
	"github.com/chenxilol/gohub/pkg/config"
)

func (b *builder) auth(h *hubSettings) {
	auth := b.c.Spec.Auth
	if auth == nil {
		return
	}
	h.config.EnableAuth = true
	h.config.AllowAnonymous = auth.AllowAnonymous
	for _, p := range auth.AnonymousPermissions {
		h.config.AnonymousPermissions = append(h.config.AnonymousPermissions, string(p))
	}
	h.config.JWTPublicKeys = auth.PublicKeys
	h.config.JWKSURL = auth.JWKSURL
	h.config.JWTAlgorithm = auth.Algorithm
	h.config.JWTIssuer = auth.Issuer
	h.config.JWTAudience = auth.Audience
	h.config.JWTSubjectClaim = auth.SubjectClaim
	h.config.JWTLeeway = config.Duration(auth.Leeway.Duration)
	h.config.RequireExpiry = auth.RequireExpiry
	b.tokenSecrets(h, auth)
}
