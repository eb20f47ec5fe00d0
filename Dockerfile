# Two stages: a static binary, and nothing else around it.
# GO_IMAGE may be any image with Go and a shell; scripts/image makes one from
# the local Go where no registry can be reached.
ARG GO_IMAGE=docker.io/library/golang:1.26

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags "-s -w -X main.version=${VERSION}" -o /out/careerrelay ./cmd/careerrelay \
 && mkdir -p /out/data /out/configs

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/careerrelay /careerrelay
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/configs /configs
USER 65532:65532
ENV DATA=/data CONFIGS=/configs LISTEN=:8080 OPS_LISTEN=:8081 LOG_FORMAT=json
EXPOSE 8080 8081
VOLUME ["/data"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/careerrelay", "doctor", "--health"]
ENTRYPOINT ["/careerrelay"]
CMD ["serve"]
