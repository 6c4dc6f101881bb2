// Package chart tests charts/gohub with helm: what it refuses, and what the
// objects are that it makes.
package chart
