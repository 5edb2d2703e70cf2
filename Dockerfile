# syntax=docker/dockerfile:1

FROM node:24-bookworm-slim AS build
WORKDIR /app
# The packages first: this layer is made again only when one of them changes.
COPY package.json package-lock.json .npmrc ./
COPY libs/model/package.json libs/model/
COPY libs/expressions/package.json libs/expressions/
COPY libs/planning/package.json libs/planning/
COPY libs/provider-kit/package.json libs/provider-kit/
RUN npm ci --ignore-scripts
COPY tsconfig*.json nest-cli.json ./
COPY scripts scripts
COPY libs libs
COPY src src
RUN npm run build \
  && npm prune --omit=dev --ignore-scripts \
  && find libs -mindepth 2 -maxdepth 2 ! -name dist ! -name package.json -exec rm -rf {} +

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    SYMPHONY_DATA_DIR=/data \
    SYMPHONY_HOST=0.0.0.0
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/libs libs
COPY --from=build /app/dist dist
# A volume takes over the owner of the folder it is mounted on.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 8082
# Ready, not merely alive: it becomes unhealthy while the database is away.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8082/readyz', { signal: AbortSignal.timeout(4000) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No init in between: the engine handles SIGTERM itself, and waits for every process that it starts.
CMD ["node", "--enable-source-maps", "dist/main", "--mode=standalone"]
