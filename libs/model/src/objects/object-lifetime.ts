import type { FieldRule } from '../fields.js';

/** A text field that keeps its value from the write that sets it. `message` opens with the words that clients look for. */
export function fixedOnceSet(field: string, message: string): FieldRule {
  const is = `has(self.${field}) && self.${field} == oldSelf.${field}`;
  return {
    cel: `!has(oldSelf.${field}) || oldSelf.${field} == '' || (${is})`,
    message: `${message} Delete the object and create it anew.`,
    fieldPath: `.${field}`,
  };
}

/** `isDryRun` may be switched off, which deploys; switched on, it would leave what is deployed without a keeper. */
export function neverSwitchedOn(message: string): FieldRule {
  return {
    cel: '!has(self.isDryRun) || !self.isDryRun || (has(oldSelf.isDryRun) && oldSelf.isDryRun)',
    message: `${message} Create another object for the trial.`,
    fieldPath: '.isDryRun',
  };
}
