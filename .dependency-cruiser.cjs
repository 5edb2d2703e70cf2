/** The rules of the shape (docs/architecture.md): libs are pure, modules know no mode, no cycles. */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'libs-know-no-src',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(src|test)/' },
    },
    {
      name: 'libs-are-pure',
      comment:
        'No Nest, no IO, no database. node:crypto (hashes) and node:util are computation, so they may be used.',
      severity: 'error',
      from: { path: '^libs/[^/]+/src' },
      to: {
        path: '^(node_modules/(@nestjs|typeorm|pg|fastify|pino)|@nestjs|typeorm|pg$)|^(node:)?(fs|net|http|https|child_process|os|dgram|tls|worker_threads|timers)($|/)',
      },
    },
    {
      name: 'modules-know-no-mode',
      severity: 'error',
      from: { path: '^src/modules' },
      to: { path: '^src/modes' },
    },
    {
      name: 'providers-know-no-nest',
      severity: 'error',
      from: { path: '^src/modules/providers/[^/]+/' },
      to: { path: '@nestjs' },
    },
    {
      name: 'modules-meet-at-their-index',
      comment: "A module's public face is its index.ts.",
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/' },
      to: { path: '^src/modules/([^/]+)/.+', pathNot: '^src/modules/($1/|[^/]+/index\\.ts$)' },
    },
    {
      name: 'product-knows-no-test',
      severity: 'error',
      from: { path: '^(src|libs/[^/]+/src)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^test/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
