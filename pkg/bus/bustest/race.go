//go:build race

package bustest

// raceDetector says that this is a build with the race detector, which takes
// several times as long.
const raceDetector = true
