# Halfwave's server and client on Debian 12: docker build -t halfwave . && docker run -p 8000:8000 -p 8001:8001 halfwave
# serves the built-in model; models of your own: docker run ... -v ./models:/models:ro halfwave --model /models

FROM debian:bookworm-slim AS build
COPY deploy/packages/build.txt /tmp/packages.txt
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(sed 's/#.*//' /tmp/packages.txt) \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cmake --preset release -DHALFWAVE_BUILD_TESTS=OFF \
 && cmake --build --preset release \
 && cmake --install build/release --prefix /stage/usr/local --strip

FROM debian:bookworm-slim
ARG REVISION=unknown
LABEL org.opencontainers.image.title="halfwave" \
      org.opencontainers.image.description="An inference server for ReLU networks: gRPC, ONNX, and what every neuron does" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.revision="${REVISION}"
COPY deploy/packages/runtime.txt /tmp/packages.txt
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(sed 's/#.*//' /tmp/packages.txt) \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log /tmp/packages.txt
COPY --from=build /stage/ /
# A number, so that Kubernetes' runAsNonRoot can tell. The server writes nothing.
USER 10001:10001
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["halfwave", "models", "--deadline", "2"]
ENTRYPOINT ["halfwave-server"]
