export { RawTextBody } from './body/body-parser.js';
export { parseBodyText } from './body/parse-body.js';
export { configureHttp } from './configure-http.js';
export { createHttpAdapter, type HttpEdgeOptions } from './http-adapter.js';
export { createOpenApiDocument, type OpenApiOptions, setupOpenApi } from './open-api.js';
export { problem, type ProblemDetails, sendProblem, toProblem } from './problem-details.js';
export { PUBLIC_ROUTE, PublicRoute } from './public-route.js';
export { validationProblems } from './validation-problems.js';
