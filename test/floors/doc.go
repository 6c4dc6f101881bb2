// Package floors holds the tree to its architecture: which package may import
// which, and that no package keeps state of its own. It has tests only.
package floors
