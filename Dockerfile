# A hub as an image. Without Docker: make image. For your own hub, a program on
# the package server:
#
#   docker build --build-arg PACKAGE=./examples/image .
#
# In a repository of your own this file needs no change but that default.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG PACKAGE=./cmd/hub
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w" -o /hub "$PACKAGE"

# Nothing but the program and the authorities that verify https (a JWKS URL):
# no shell, no user database, not root, and no file that it writes to.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /hub /usr/local/bin/hub
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/hub"]
