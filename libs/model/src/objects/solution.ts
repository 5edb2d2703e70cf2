import { Many, Rule, Text, TextMap } from '../fields.js';
import { ComponentSpec } from './component.js';
import { fixedOnceSet } from './object-lifetime.js';

/** What to run. */
@Rule(fixedOnceSet('rootResource', 'rootResource is immutable.'))
export class SolutionSpec {
  @Text({ max: 253 }) displayName?: string;
  @TextMap({ description: 'Merged under the metadata of the instance.' }) metadata?: Record<string, string>;
  @Many(() => ComponentSpec, { uniqueBy: 'name', max: 1000, description: 'What to run.' })
  components?: ComponentSpec[];
  @Text({ max: 253 }) version?: string;
  @Text({ max: 253, description: 'If given, the name starts with `<rootResource>-v-`; fixed once set.' })
  rootResource?: string;
}

/** Stored for clients that insist on it; nothing depends on it. */
export class SolutionContainerSpec {}
