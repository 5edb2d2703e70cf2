import { argument, type Evaluation, type FunctionDefinition, type FunctionTable } from '../evaluation.js';
import { query } from '../jsonpath/query.js';
import { isMapValue, type Value } from '../values.js';

/** Functions that read the context of the evaluation. */
export const contextFunctions: FunctionTable = {
  param: {
    arity: [1, 1],
    evaluate: (args, evaluation) => {
      const key = evaluation.nameOf(argument(args, 0));
      const { component, parameters, instanceParameters } = evaluation.context;
      const value = own(instanceParameters, key) ?? own(parameters, key);
      if (value !== undefined) return value;
      const where =
        component === undefined ? 'here (no component is being evaluated)' : `of component ${component}`;
      throw missing(evaluation, `there is no parameter ${evaluation.shown(key)} ${where}`);
    },
  },
  property: {
    arity: [1, 1],
    evaluate: (args, evaluation) => {
      const key = evaluation.nameOf(argument(args, 0));
      const value = own(evaluation.context.properties, key);
      if (value === undefined)
        throw missing(evaluation, `the target has no property ${evaluation.shown(key)}`);
      const resolved = evaluation.resolve(evaluation.adopt(value), `property ${key}`, 'whole');
      return evaluation.format(resolved);
    },
  },
  input: {
    arity: [1, 1],
    evaluate: (args, evaluation) => {
      const key = evaluation.nameOf(argument(args, 0));
      const value = own(evaluation.context.inputs, key);
      if (value === undefined) throw missing(evaluation, `there is no input ${evaluation.shown(key)}`);
      return evaluation.resolve(evaluation.adopt(value), `input ${key}`, 'whole');
    },
  },
  output: {
    arity: [2, 2],
    evaluate: (args, evaluation) => {
      const { outputs } = evaluation.context;
      const step = evaluation.nameOf(argument(args, 0));
      const key = evaluation.nameOf(argument(args, 1));
      // Before the first step has run there are no outputs; Symphony reads them as empty then.
      if (outputs === undefined || Object.keys(outputs).length === 0) return '';
      const value = own(own(outputs, step), key);
      if (value === undefined) {
        throw missing(evaluation, `step ${evaluation.shown(step)} has no output ${evaluation.shown(key)}`);
      }
      return evaluation.resolve(evaluation.adopt(value), `output ${step} ${key}`, 'whole');
    },
  },
  trigger: {
    arity: [2, 2],
    evaluate: (args, evaluation) => {
      const key = evaluation.nameOf(argument(args, 0));
      const otherwise = evaluation.evaluate(argument(args, 1));
      const value = own(evaluation.context.triggers, key);
      return value === undefined
        ? otherwise
        : evaluation.resolve(evaluation.adopt(value), `trigger ${key}`, 'whole');
    },
  },
  instance: name('instance'),
  solution: name('solution'),
  solutionversion: name('solution'),
  target: name('target'),
  val: { arity: [0, 1], evaluate: contextValue },
  context: { arity: [0, 1], evaluate: contextValue },
};

function name(which: 'instance' | 'solution' | 'target'): FunctionDefinition {
  return {
    arity: [0, 0],
    evaluate: (_, evaluation) => {
      const value = evaluation.context[which];
      if (value === undefined) throw missing(evaluation, `no ${which} is known here`);
      return value;
    },
  };
}

function contextValue(args: Parameters<FunctionDefinition['evaluate']>[0], evaluation: Evaluation): Value {
  const value = evaluation.adopt(evaluation.context.value);
  if (args.length === 0) return value;
  const path = evaluation.nameOf(argument(args, 0));
  if (path.startsWith('$') || path.startsWith('{$')) return selected(value, path, evaluation);
  if (!isMapValue(value)) {
    throw evaluation.error('ExpressionMissingValue', 'the context value is not a map, so it has no keys');
  }
  if (!Object.hasOwn(value, path))
    throw missing(evaluation, `the context value has no key ${evaluation.shown(path)}`);
  return value[path] ?? null;
}

/** One match is that value, several are a list, none is an error. */
export function selected(value: Value, path: string, evaluation: Evaluation): Value {
  const found = query(value, path, evaluation.budget);
  const [first] = found;
  if (first === undefined)
    throw missing(evaluation, `nothing matches the JSONPath ${evaluation.shown(path)}`);
  return found.length === 1 ? first : found;
}

function missing(evaluation: Evaluation, message: string): Error {
  return evaluation.error('ExpressionMissingValue', message);
}

/** Never reads what the prototype of a map offers: `$param(constructor)` is a missing key. */
function own<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}
