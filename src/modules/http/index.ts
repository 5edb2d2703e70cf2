export { RawTextBody } from './body/body-parser.js';
export { parseBodyText } from './body/parse-body.js';
export { configureHttp } from './configure-http.js';
export { createHttpAdapter, type HttpEdgeOptions } from './http-adapter.js';
export { createOpenApiDocument, setupOpenApi } from './open-api.js';
export { PUBLIC_ROUTE, PublicRoute } from './public-route.js';
export { loadTls } from './tls.js';
