package config

import (
	"slices"
	"strings"
)

// suggest names the known keys nearest to an unknown one: first those of the
// same object, then, as keys are often put one level too high or too low, the
// same name elsewhere.
func suggest(parent, key string, siblings []string) string {
	near := nearest(key, siblings)
	for _, k := range Keys() {
		leaf := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		if strings.EqualFold(leaf, key) && !slices.Contains(near, k.Path) && join(parent, leaf) != k.Path {
			near = append(near, k.Path)
		}
	}
	if len(near) == 0 {
		return "known here: " + strings.Join(siblings, ", ")
	}
	const most = 3
	return "did you mean " + strings.Join(near[:min(len(near), most)], " or ") + "?"
}

// DidYouMean returns ": did you mean a or b?" with the names nearest to an
// unknown one, of a flag or a variable, and "" where none is near. At most three
// are named.
func DidYouMean(name string, known []string) string {
	near := nearest(name, known)
	if len(near) == 0 {
		return ""
	}
	return ": did you mean " + strings.Join(near[:min(len(near), 3)], " or ") + "?"
}

// nearest returns the names that differ from key in case only or in at most a
// third of its letters, the closest first.
func nearest(key string, names []string) []string {
	const longest = 64 // of a known name, with room to spare; bounds the work
	if len(key) > longest {
		return nil
	}
	type match struct {
		name     string
		distance int
	}
	var found []match
	key = strings.ToLower(key)
	for _, name := range names {
		if d := distance(key, strings.ToLower(name)); d <= max(1, len(key)/3) {
			found = append(found, match{name, d})
		}
	}
	slices.SortStableFunc(found, func(a, b match) int { return a.distance - b.distance })
	var near []string
	for _, m := range found {
		near = append(near, m.name)
	}
	return near
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
