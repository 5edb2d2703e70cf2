const LONGEST_CHAIN = 5;
const LONGEST_STACK = 8000;

/** An error as a log line shows it. Only what is known to be free of data: drivers hang rows and queries on theirs. */
export interface DescribedError {
  type: string;
  message: string;
  code?: string;
  stack?: string;
  cause?: DescribedError;
}

/** Describes whatever was thrown, with its causes; passwords inside URLs are masked. */
export function describeError(error: unknown, depth = 0): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error, message: maskUrls(textOf(error)) };
  const { code } = error as { code?: unknown };
  const described: DescribedError = { type: error.name, message: maskUrls(error.message) };
  if (typeof code === 'string' || typeof code === 'number') described.code = String(code);
  if (error.stack) described.stack = maskUrls(error.stack.slice(0, LONGEST_STACK));
  if (error.cause !== undefined && depth < LONGEST_CHAIN)
    described.cause = describeError(error.cause, depth + 1);
  return described;
}

/** `postgres://user:secret@host` becomes `postgres://user:***@host`. */
function maskUrls(text: string): string {
  return text.replaceAll(/(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s:/@]{0,200}):[^\s@]{1,500}@/gi, '$1:***@');
}

function textOf(value: unknown): string {
  try {
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return 'a value that has no text';
  }
}
