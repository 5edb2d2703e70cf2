import type { FunctionTable } from '../evaluation.js';
import { contextFunctions } from './context.js';
import { dataFunctions } from './data.js';
import { logicFunctions } from './logic.js';
import { lookupFunctions } from './lookup.js';

/** All functions by name, without the `$`. */
export const functions: FunctionTable = {
  ...contextFunctions,
  ...lookupFunctions,
  ...logicFunctions,
  ...dataFunctions,
};
