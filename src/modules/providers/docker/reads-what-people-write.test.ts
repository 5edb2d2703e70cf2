import { readFile } from 'node:fs/promises';
import type { ComponentSpec } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { readDockerConfig, type Allowances } from './config.js';
import { readDeclaration, type Declaration } from './declaration.js';
import { older } from './engine/connection.js';
import { jsonLines, logText } from './engine/frames.js';
import { normalisedImage, parseImage } from './image-reference.js';
import { normalisedPorts, parsePorts, portsClash } from './ports.js';

const NOTHING: Allowances = { hostPaths: [], hostNetwork: false, devices: false };

function read(properties: Record<string, unknown>, allow: Partial<Allowances> = {}, name = 'web') {
  const component = { name, properties: { 'container.image': 'redis', ...properties } };
  return readDeclaration(component, { ...NOTHING, ...allow });
}

function problems(properties: Record<string, unknown>, name = 'web'): string {
  const result = read(properties, {}, name);
  return 'problems' in result ? result.problems.join('; ') : '';
}

function declared(properties: Record<string, unknown>, allow: Partial<Allowances> = {}): Declaration {
  const result = read(properties, allow);
  if ('problems' in result) throw new Error(result.problems.join());
  return result;
}

describe('container.ports', () => {
  it.each([
    ['{"9090/tcp":[{"HostIp":"0.0.0.0","HostPort":"9090"}]}', '[["9090/tcp",["0.0.0.0:9090"]]]'],
    ['{"9090/tcp":{"HostIP":"0.0.0.0","hostPort":"9090"}}', '[["9090/tcp",["0.0.0.0:9090"]]]'],
    ['{"80":{"HostPort":8080},"53/UDP":{}}', '[["53/udp",[":"]],["80/tcp",[":8080"]]]'],
    [{ '80/tcp': [{ HostPort: '2' }, { HostPort: '1' }] }, '[["80/tcp",[":1",":2"]]]'],
    ['{"80/tcp":{"HostPort":"0"}}', '[["80/tcp",[":"]]]'],
  ])('%j means %s', (value, expected) => {
    expect(normalisedPorts(parsePorts(value))).toBe(expected);
  });

  it.each([
    '',
    '{}',
    '[]',
    'nonsense',
    '[{"containerPort":80}]',
    '{"80/tcp":[]}',
    '{"80/icmp":{}}',
    '{"99999/tcp":{}}',
    '{"0":{}}',
    '{"80/tcp":{"Port":"1"}}',
    '{"80/tcp":{"HostPort":"x"}}',
    '{"80/tcp":{"HostPort":"90-80"}}',
    '{"80/tcp":{"HostPort":true}}',
    '{"80":{},"80/tcp":{}}',
  ])('%s is refused as Symphony refuses it', (value) => {
    expect(() => parsePorts(value)).toThrow('invalid container.ports format, expected Docker port map JSON');
  });

  it.each([
    ['{"80/tcp":{"HostPort":"8080"}}', '{"81/tcp":{"HostPort":"8080"}}', true],
    ['{"80/tcp":{"HostPort":"8080"}}', '{"80/udp":{"HostPort":"8080"}}', false],
    ['{"80/tcp":{"HostPort":"8000-8010"}}', '{"80/tcp":{"HostPort":"8005"}}', true],
    ['{"80/tcp":{}}', '{"80/tcp":{}}', false],
  ])('%s and %s fight: %s', (a, b, expected) => {
    expect(portsClash(parsePorts(a), parsePorts(b))).toBe(expected);
  });
});

describe('container.image', () => {
  it.each([
    ['redis', 'docker.io/library/redis:latest'],
    ['Redis:7', 'docker.io/library/redis:7'],
    ['docker.io/library/redis:latest', 'docker.io/library/redis:latest'],
    ['index.docker.io/prom/prometheus', 'docker.io/prom/prometheus:latest'],
    ['localhost/app:1', 'localhost/app:1'],
    ['localhost:5000/a/b', 'localhost:5000/a/b:latest'],
    ['ghcr.io/org/app:2', 'ghcr.io/org/app:2'],
    [`redis@sha256:${'a'.repeat(64)}`, `docker.io/library/redis@sha256:${'a'.repeat(64)}`],
  ])('%s is %s', (text, expected) => {
    expect(normalisedImage(text)).toBe(expected);
  });

  it.each(['', 'a b', 'redis:', ':7', 'redis@latest', '-x', '../x', 'a//b', 'a_/b'])('%j is none', (text) => {
    expect(parseImage(text)).toBeUndefined();
  });
});

describe('a declaration', () => {
  it('reads everything', () => {
    const found = declared(
      {
        'env.B': 2,
        'env.A': { x: [1] },
        'container.args': '["--port", "80"]',
        'container.commands': ['serve'],
        'container.volumes': '["data:/data", "/srv/x/:/x:ro"]',
        'container.networks': 'front, back',
        'container.labels': { n: 1 },
        'container.resources': '{"memory": 1024}',
        'container.restartPolicy': 'on-failure:4',
        'container.imagePullPolicy': 'always',
        'container.stopTimeoutSeconds': '3',
      },
      { hostPaths: ['/srv'] },
    );
    expect(found).toMatchObject({
      name: 'web',
      image: 'redis',
      pull: 'Always',
      env: ['A={"x":[1]}', 'B=2'],
      args: ['--port', '80'],
      commands: ['serve'],
      mounts: [
        { Type: 'volume', Source: 'data', Target: '/data', ReadOnly: false },
        { Type: 'bind', Source: '/srv/x', Target: '/x', ReadOnly: true },
      ],
      networks: ['front', 'back'],
      labels: { n: '1' },
      resources: { Memory: 1024 },
      restart: { Name: 'on-failure', MaximumRetryCount: 4 },
      stopTimeout: 3,
    });
  });

  it.each([
    [{ 'container.image': 'not an image' }, 'container.image'],
    [{ 'container.ports': '{}' }, 'container.ports'],
    [{ 'container.resources': '{"requests":{}}' }, 'unknown key "requests"'],
    [{ 'container.resources': { Privileged: true } }, 'unknown key "Privileged"'],
    [{ 'container.resources': { Devices: [] } }, 'allowDevices'],
    [{ 'container.args': 'just text' }, 'container.args'],
    [{ 'container.volumes': ['/etc:/etc'] }, 'allowedHostPaths'],
    [{ 'container.volumes': ['data:relative'] }, 'absolute path within the container'],
    [{ 'container.volumes': [{ source: 'a', target: '/a', mode: 'z' }] }, 'container.volumes'],
    [{ 'container.networks': 'host' }, 'allowHostNetwork'],
    [{ 'container.networks': 'container:other' }, 'container.networks'],
    [{ 'container.labels': { 'symphony.owner-uid': 'x' } }, "engine's own"],
    [{ 'container.restartPolicy': 'sometimes' }, 'container.restartPolicy'],
    [{ 'container.restartPolicy': 'always:3' }, 'container.restartPolicy'],
    [{ 'container.imagePullPolicy': 'Perhaps' }, 'container.imagePullPolicy'],
    [{ 'container.stopTimeoutSeconds': '1.5' }, 'container.stopTimeoutSeconds'],
    [{ 'env.A=B': 'x' }, 'env.A=B'],
  ])('%j is refused, and why is said', (properties, expected) => {
    expect(problems(properties)).toContain(expected);
  });

  it('mounts nothing of the host beside what the target gives', () => {
    const allow = { hostPaths: ['/srv'] };
    for (const path of ['/srv/../etc', '/srvx', '/', '/srv/a/../../etc']) {
      expect(read({ 'container.volumes': [`${path}:/x`] }, allow)).toHaveProperty('problems');
    }
    expect(declared({ 'container.volumes': ['/srv/a/../b:/x'] }, allow).mounts[0]?.Source).toBe('/srv/b');
  });

  it('of the sample is sound', async () => {
    const file = new URL('../../../../samples/docker/solution.json', import.meta.url);
    const { spec } = JSON.parse(await readFile(file, 'utf8')) as { spec: { components: ComponentSpec[] } };
    for (const component of spec.components) {
      expect(readDeclaration(component, NOTHING)).not.toHaveProperty('problems');
    }
  });

  it('asks for a name that Docker takes', () => {
    expect(problems({}, 'a')).toContain("set the property 'container.name'");
    expect(problems({}, 'with space')).toContain('container.name');
    expect(problems({ 'container.name': 'aa' }, 'a')).toBe('');
  });
});

describe('the configuration of a binding', () => {
  it.each([
    [{}, {}, { kind: 'unix', path: '/var/run/docker.sock' }],
    [{}, { DOCKER_HOST: 'unix:///run/x.sock' }, { kind: 'unix', path: '/run/x.sock' }],
    [{ host: 'tcp://10.0.0.1' }, {}, { kind: 'tcp', hostname: '10.0.0.1', port: 2375, verify: false }],
    [{ host: 'tcp://[::1]:80' }, {}, { kind: 'tcp', hostname: '[::1]', port: 80, verify: false }],
    [
      { host: 'tcp://h:1' },
      { DOCKER_CERT_PATH: '/c', DOCKER_TLS_VERIFY: '1' },
      { kind: 'tcp', hostname: 'h', port: 1, verify: false },
    ],
    [
      {},
      { DOCKER_HOST: 'tcp://h', DOCKER_CERT_PATH: '/c', DOCKER_TLS_VERIFY: '1' },
      { kind: 'tcp', hostname: 'h', port: 2376, verify: true, certPath: '/c' },
    ],
    [
      { host: 'tcp://h:1', certPath: '/d' },
      {},
      { kind: 'tcp', hostname: 'h', port: 1, verify: true, certPath: '/d' },
    ],
  ])('%j in the environment %j names an engine', (config, env, endpoint) => {
    expect(readDockerConfig(config as Record<string, string>, env).endpoint).toEqual(endpoint);
  });

  it.each([
    [{ host: 'ssh://me@host' }, 'host'],
    [{ host: 'unix://relative' }, 'host'],
    [{ host: 'tcp://user:pw@h:1' }, 'host'],
    [{ allowedHostPaths: 'srv' }, 'allowedHostPaths'],
    [{ allowHostNetwork: 'yes' }, 'allowHostNetwork'],
    [{ startGraceSeconds: '1h' }, 'startGraceSeconds'],
  ])('%j is refused by the name of the key', (config, key) => {
    expect(() => readDockerConfig(config as Record<string, string>, {})).toThrow(`'${key}'`);
  });
});

describe('what an engine sends', () => {
  it('is spoken to in the older of two versions', () => {
    expect(older('1.9', '1.41')).toBe('1.9');
    expect(older('1.52', '1.47')).toBe('1.47');
  });

  it('is a log in frames, also when the last one is cut off', () => {
    const frame = (text: string): Buffer => {
      const head = Buffer.alloc(8);
      head[0] = 1;
      head.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    const bytes = Buffer.concat([frame('one\n'), frame('two\n').subarray(0, 10)]);
    expect(logText(bytes, false)).toBe('one\ntw');
    expect(logText(Buffer.from('plain'), true)).toBe('plain');
  });

  it('is a stream of JSON in any pieces', async () => {
    async function* pieces() {
      for (const byte of Buffer.from('{"a":"ä"}\n\nnonsense\n{"b":2}')) {
        await Promise.resolve();
        yield Uint8Array.of(byte);
      }
    }
    const values: unknown[] = [];
    for await (const value of jsonLines(pieces())) values.push(value);
    expect(values).toEqual([{ a: 'ä' }, { b: 2 }]);
  });
});
