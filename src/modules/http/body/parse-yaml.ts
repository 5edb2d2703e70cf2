import { InvalidInputError, joinPath } from '@symphony/model';
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type Scalar,
  visit,
} from 'yaml';
import { isExact } from './exact-json.js';
import { roundedNumberError, unreadable } from './unreadable.js';

/** YAML is read a hundred times slower than JSON, on the thread that serves everybody: this much may take a second. */
export const LONGEST_YAML = 512 * 1024;
/**
 * Lists and maps, with their keys, that may be open at once. The parser itself knows no limit: a megabyte of opening
 * braces costs it seconds, then the memory of the whole process.
 */
const MOST_OPEN = 200;
/** Words, marks and line breaks: about six for each value. */
const MOST_LEXEMES = 300_000;
const MOST_ALIASES = 100;
/** The tags of the core schema. The library would also make sets, dates and byte arrays, which JSON cannot hold. */
const CORE_TAG = /^(tag:yaml\.org,2002:)(str|int|float|bool|null|map|seq)$/;

interface YamlLimits {
  /** The most characters that are read. */
  longest: number;
  /** The reason to give when the text cannot be read, where it was probably not meant as YAML. */
  instead?: string;
}

/**
 * Reads one YAML 1.2 document of the core schema.
 * @throws InvalidInputError (400) also for tags of its own, more than one document, numbers that would be rounded.
 */
export function parseYaml(text: string, { longest, instead }: YamlLimits): unknown {
  if (text.length > longest) {
    throw unreadable(instead ?? `it is not JSON, and YAML may have at most ${longest} characters here`);
  }
  const { stackTraceLimit } = Error;
  try {
    // The library makes one error for each fault, and would spend most of its time on their stacks.
    Error.stackTraceLimit = 0;
    const document = compose(text, instead);
    refuseForeign(document);
    return document.toJS({ maxAliasCount: MOST_ALIASES }) as unknown;
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    // The library throws when aliases are repeated too often, or name nothing.
    throw unreadable(instead ?? 'it repeats itself by too many aliases');
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function compose(text: string, instead: string | undefined): Document.Parsed {
  const lines = new LineCounter();
  const fault = (code: string, offset: number): InvalidInputError => {
    const { line, col } = lines.linePos(offset);
    return unreadable(instead ?? `it is neither JSON nor YAML in line ${line}, column ${col} (${code})`);
  };
  // Without unique keys: that check takes time by the square of their number. The last of equal keys counts.
  const composer = new Composer({ uniqueKeys: false, stringKeys: true, merge: false, version: '1.2' });
  let found: Document.Parsed | undefined;
  for (const document of composer.compose(tokensOf(text, lines, fault, instead), true, text.length)) {
    if (found) throw fault('MULTIPLE_DOCS', document.range[0]);
    found = document;
    const [first] = [...document.errors, ...document.warnings];
    if (first) throw fault(first.code, first.pos[0]);
    // `%YAML 1.1` would make a boolean of `yes`.
    if (document.directives?.yaml.version !== '1.2') throw fault('NOT_YAML_1_2', 0);
  }
  if (!found) throw fault('NO_DOCUMENT', 0);
  return found;
}

function* tokensOf(
  text: string,
  lines: LineCounter,
  fault: (code: string, offset: number) => InvalidInputError,
  instead: string | undefined,
): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') throw fault('BAD_TOKEN', token.offset);
      yield token;
    }
    lexemes += 1;
    if (parser.stack.length > MOST_OPEN) throw unreadable(instead ?? 'as YAML it is nested too deep');
    if (lexemes > MOST_LEXEMES) throw unreadable(instead ?? 'as YAML it has too many words; send JSON');
  }
  yield* parser.end();
}

/** Refuses numbers that would be rounded, and tags of which JSON knows nothing. */
function refuseForeign(document: Document.Parsed): void {
  visit(document, {
    Node(_key, node, ancestors) {
      if (isAlias(node)) return;
      if (node.tag !== undefined && !CORE_TAG.test(node.tag)) {
        throw unreadable(
          `${pathOf([...ancestors, node]) || 'it'} has the tag ${node.tag.slice(0, 80)}, which is not understood`,
        );
      }
      if (isScalar(node) && typeof node.value === 'number' && !isExactScalar(node)) {
        throw roundedNumberError(pathOf([...ancestors, node]));
      }
    },
  });
}

function isExactScalar({ source, value }: Scalar): boolean {
  return source === undefined || /^0[xo]/.test(source) ? Number.isSafeInteger(value) : isExact(source);
}

function pathOf(nodes: readonly unknown[]): string {
  let path = '';
  nodes.forEach((node, index) => {
    const next = nodes[index + 1];
    if (isPair(node) && isScalar(node.key)) path = joinPath(path, String(node.key.value));
    else if (isSeq(node) && next !== undefined) path += `[${node.items.indexOf(next)}]`;
  });
  return path;
}
