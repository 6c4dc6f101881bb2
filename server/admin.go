package server

import "net/http"

func (s *Server) adminRoutes(_ *http.ServeMux) {}
