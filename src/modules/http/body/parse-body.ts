import { firstRoundedNumber, jsonFault } from './exact-json.js';
import { LONGEST_YAML, parseYaml } from './parse-yaml.js';
import { refuseUnsafe } from './refuse-unsafe.js';
import { roundedNumberError, unreadable } from './unreadable.js';

/** YAML in braces is for short notes; what is longer is JSON with a fault in it. */
const LONGEST_FLOW_YAML = 64 * 1024;

/**
 * Decodes a body: JSON first, else YAML 1.2 (core schema, one document, no tags of its own). Nothing is changed on the
 * way: what cannot be held exactly is refused.
 * @returns undefined for a blank text; a YAML text without keys is a string, which the reader of the body refuses.
 * @throws InvalidInputError (400) that names the place.
 */
export function parseBodyText(text: string, longestYaml = LONGEST_YAML): unknown {
  if (text.trim() === '') return undefined;
  const json = tryJson(text);
  if (json) {
    refuseUnsafe(json.value);
    const path = roundedNumber(text);
    if (path !== undefined) throw roundedNumberError(path);
    return json.value;
  }
  const meantAsJson = /^\s*[[{]/.test(text);
  const value = parseYaml(text, {
    longest: meantAsJson ? Math.min(longestYaml, LONGEST_FLOW_YAML) : longestYaml,
    ...(meantAsJson ? { instead: `as JSON it is wrong ${jsonFault(text)}` } : {}),
  });
  refuseUnsafe(value);
  return value;
}

function tryJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function roundedNumber(text: string): string | undefined {
  try {
    return firstRoundedNumber(text);
  } catch {
    // Only a repeated key can hide what the first reader saw: the exact reader met a depth that was overwritten.
    throw unreadable('it repeats a key');
  }
}
