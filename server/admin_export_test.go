package server

// What the tests of the admin API, being outside the package, see of it.
var (
	DecodeObject = decodeObject
	BodyLimit    = bodyLimit
)

// AdminRoutes lists the method and the path of every operation.
func AdminRoutes() [][2]string {
	var list [][2]string
	for _, r := range adminRoutes() {
		list = append(list, [2]string{r.method, r.path})
	}
	return list
}
