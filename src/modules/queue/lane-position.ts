import { InvalidInputError } from '@symphony/model';
import type { LaneKey } from './lanes.js';

/** Where a page of lanes ended: kind, namespace, name, by which lists are ordered. Before all: three empty texts. */
export type LanePosition = readonly [kind: string, namespace: string, name: string];

const START: LanePosition = ['', '', ''];

export function continueAfter({ kind, namespace, name }: LaneKey): string {
  return Buffer.from(JSON.stringify([kind, namespace, name])).toString('base64url');
}

/** Reads what `continueAfter` made. @throws InvalidInputError for any other text */
export function positionOf(token: string | undefined): LanePosition {
  if (!token) return START;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (isPosition(parsed)) return parsed;
  } catch {
    // Reported below like any other text that is not a token of ours.
  }
  throw new InvalidInputError(
    'The value of "continue" is not one that a list answered with. Start without it.',
    [{ path: 'continue', message: 'must be the X-Continue header of the page before' }],
  );
}

function isPosition(value: unknown): value is LanePosition {
  // NUL is no text for a database.
  return (
    Array.isArray(value) &&
    value.length === START.length &&
    value.every((part) => typeof part === 'string' && !part.includes('\0'))
  );
}
