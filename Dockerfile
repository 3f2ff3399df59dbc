# One image for every service, one for compute hosts. Base images are arguments, for registries of one's own.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /opt/nestack
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund

FROM packages AS build
COPY tsconfig.base.json tsconfig.json ./
COPY tools ./tools
COPY libs ./libs
COPY apps ./apps
RUN node tools/build.mjs

FROM packages AS runtime-packages
RUN npm prune --omit=dev --no-audit --no-fund

# Everything but compute hosts; runs as an ordinary user.
FROM ${NODE_IMAGE} AS service
ENV NODE_ENV=production
WORKDIR /opt/nestack
COPY --from=runtime-packages /opt/nestack/node_modules ./node_modules
COPY --from=build /opt/nestack/dist ./dist
COPY package.json ./
RUN mkdir -p /var/lib/nestack && chown 1000:1000 /var/lib/nestack
VOLUME /var/lib/nestack
USER 1000:1000
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/apps/nestack/cli.js", "--help"]

# Compute hosts and network agents: hypervisor and networking tools; needs root and a privileged container.
FROM service AS compute
USER 0:0
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      conntrack dnsmasq-base dnsmasq-utils genisoimage haproxy iproute2 libvirt-clients libvirt-daemon \
      libvirt-daemon-driver-qemu nftables procps qemu-system-x86 qemu-utils radvd \
 && rm -rf /var/lib/apt/lists/*
