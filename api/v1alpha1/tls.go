package v1alpha1

// ServerTLS names the certificate of a TLS server.
type ServerTLS struct {
	// SecretName names a Secret with tls.crt and tls.key, as cert-manager writes
	// them. The hubs read them again when they change, without a restart.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
}

// ClientTLS turns TLS on for connections to the bus; an empty one verifies the
// servers with the authorities of the image.
type ClientTLS struct {
	// SecretName names a Secret with ca.crt, which verifies the servers, and, where
	// they ask for a certificate, tls.crt and tls.key. Default none. A change of
	// the data rolls the hubs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// ServerName is the name the servers' certificates must carry. Empty is the
	// host that was dialed.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}
