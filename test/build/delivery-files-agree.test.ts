import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  engines: { node: string };
  scripts: Record<string, string>;
  workspaces: string[];
};

interface Service {
  image?: string;
  ports?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  environment: Record<string, string>;
  secrets: string[];
}

describe('hosted CI', () => {
  const workflow = parse(read('.github/workflows/ci.yml')) as {
    jobs: Record<string, { steps: { run?: string; with?: Record<string, string> }[] }>;
  };

  test('runs the same script as everybody else, on the lowest supported Node', () => {
    const steps = workflow.jobs['all']?.steps ?? [];
    expect(steps.map((step) => step.run).filter(Boolean)).toEqual(['.ci/run']);
    expect(steps.find((step) => step.with?.['node-version'])?.with?.['node-version']).toBe(
      manifest.engines.node.replace('>=', ''),
    );
    accessSync(join(ROOT, '.ci/run'), constants.X_OK);
  });

  test('.ci/run uses only scripts and files that exist', () => {
    const script = read('.ci/run');
    const used = [...script.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name ?? '');
    expect(used.length).toBeGreaterThan(0);
    for (const name of used) expect(manifest.scripts).toHaveProperty([name]);
    for (const [path] of script.matchAll(/(?<![\w/])(?:test|scripts)\/[\w./-]+/g)) {
      expect(existsSync(join(ROOT, path)), path).toBe(true);
    }
  });
});

describe('docker-compose.yml', () => {
  const compose = parse(read('docker-compose.yml')) as {
    services: Record<'postgres' | 'engine', Service>;
    secrets: Record<string, { file: string }>;
  };
  const { postgres, engine } = compose.services;

  test('checks the health of both, and starts the engine after the database', () => {
    expect(postgres.healthcheck?.test[0]).toBe('CMD');
    expect(engine.healthcheck?.test.join(' ')).toContain('/readyz');
    expect(engine.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
  });

  test('publishes on loopback only, and takes passwords from files that exist in no image', () => {
    expect(postgres.ports).toBeUndefined();
    expect(engine.ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:/)]);
    expect(engine.environment['SYMPHONY_ADMIN_PASSWORD_FILE']).toBe('/run/secrets/admin-password');
    for (const service of [postgres, engine]) {
      for (const secret of service.secrets) expect(compose.secrets).toHaveProperty([secret]);
    }
    for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\.\/secrets\//);
    expect(read('.gitignore')).toContain('/secrets/');
    expect(read('.dockerignore').split('\n')).toContain('*');
  });

  test('the health check of compose is the one of the image', () => {
    const [, program] = /HEALTHCHECK[^\n]*\n\s*CMD (\[.*\])/.exec(read('Dockerfile')) ?? [];
    expect(JSON.parse(program ?? '[]')).toEqual(engine.healthcheck?.test.slice(1));
  });
});

describe('Dockerfile', () => {
  const dockerfile = read('Dockerfile');

  test('copies the manifest of each lib before it installs, runs as no root, and starts what the build makes', () => {
    for (const lib of ['model', 'expressions', 'planning', 'provider-kit']) {
      expect(dockerfile).toContain(`COPY libs/${lib}/package.json libs/${lib}/`);
    }
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(
      /^CMD \["node", "--enable-source-maps", "dist\/main", "--mode=standalone"\]$/m,
    );
    expect(manifest.workspaces).toEqual(['libs/*']);
  });
});

test('the two commands of the README are there', () => {
  for (const name of ['demo', 'test']) {
    const [, script] = /^node (scripts\/\w+\.mjs)$/.exec(manifest.scripts[name] ?? '') ?? [];
    expect(script && existsSync(join(ROOT, script)), name).toBe(true);
    expect(read('README.md')).toContain(name === 'test' ? 'npm test' : 'npm run demo');
  }
});

describe('documentation', () => {
  const pages = [
    ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
    ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join('docs', name)),
  ];

  test.each(pages)('the links of %s lead to files that exist', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(
      ([, link]) => link ?? '',
    );
    for (const link of links) expect(existsSync(join(ROOT, dirname(page), link)), link).toBe(true);
  });

  test('every page of docs is listed in its index', () => {
    const index = read('docs/README.md');
    for (const page of readdirSync(join(ROOT, 'docs')).filter(
      (name) => name.endsWith('.md') && name !== 'README.md',
    )) {
      expect(index).toContain(`(${page})`);
    }
  });
});
