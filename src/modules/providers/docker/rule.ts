import { canonicalJson } from '@symphony/model';
import { textForm, type PropertyRule, type ValidationRule } from '@symphony/provider-kit';
import type { Allowances } from './config.js';
import {
  DEFAULT_RESTART,
  envText,
  parseLabels,
  parseMounts,
  parseNetworks,
  parseRestart,
  texts,
} from './declaration.js';
import { normalisedImage } from './image-reference.js';
import { normalisedPorts, parsePorts } from './ports.js';
import { hasResources, parseResources } from './resources.js';

/** Reported only when the container is not as it should be and only a run mends that; no declaration has it. */
export const STATE_PROPERTY = 'container.state';

/** What a component needs, and which differences between it and its container count. */
export function dockerRule(allow: Allowances): ValidationRule {
  const compared = (name: string, read: (value: unknown) => string, otherwise?: unknown): PropertyRule => ({
    name,
    same: (before, after) => meaning(read, before ?? otherwise) === meaning(read, after ?? otherwise),
  });
  return {
    componentValidationRule: {
      requiredProperties: ['container.image'],
      optionalProperties: [
        'container.name',
        'container.imagePullPolicy',
        'container.ports',
        'container.resources',
        'container.commands',
        'container.args',
        'container.volumes',
        'container.networks',
        'container.labels',
        'container.restartPolicy',
        'container.stopTimeoutSeconds',
        'env.*',
      ],
      changeDetection: [
        compared('container.image', (value) => normalisedImage(textForm(value))),
        { name: 'container.name' },
        compared('container.ports', (value) => normalisedPorts(parsePorts(value))),
        { name: 'container.resources', same: (before, after) => sameResources(before, after) },
        ifDeclared(compared('container.commands', (value) => JSON.stringify(texts(value)))),
        ifDeclared(compared('container.args', (value) => JSON.stringify(texts(value)))),
        compared('container.volumes', (value) =>
          canonicalJson(parseMounts(value, { ...allow, hostPaths: ['/'] })),
        ),
        ifDeclared(
          compared('container.networks', (value) =>
            JSON.stringify(parseNetworks(value, { hostNetwork: true }).sort()),
          ),
        ),
        ifDeclared(compared('container.labels', (value) => canonicalJson(parseLabels(value)))),
        compared('container.restartPolicy', (value) => canonicalJson(parseRestart(value)), DEFAULT_RESTART),
        { name: 'container.stopTimeoutSeconds', skipIfMissing: true },
        compared('env.*', envText),
        { name: STATE_PROPERTY },
      ],
    },
  };
}

/** What is not declared is the engine's or the image's own affair. */
function ifDeclared(rule: PropertyRule): PropertyRule {
  return { ...rule, same: (before, after) => after === undefined || rule.same?.(before, after) === true };
}

function sameResources(before: unknown, after: unknown): boolean {
  if (after === undefined) return true;
  try {
    return hasResources(parseResources(before ?? {}, true), parseResources(after, true));
  } catch {
    return textForm(before) === textForm(after);
  }
}

/** A value that cannot be read is compared as it is written. */
function meaning(read: (value: unknown) => string, value: unknown): string {
  if (value === undefined || value === null || value === '') return '';
  try {
    return read(value);
  } catch {
    return textForm(value);
  }
}
