import { mapTexts } from '@symphony/model';

/**
 * The same value with every text in it redacted; keys stay, as they are declared and not resolved. What holds no secret is not
 * copied.
 */
export function redactedDeep<T>(value: T, redact: (text: string) => string): T {
  return mapTexts(value, redact);
}
