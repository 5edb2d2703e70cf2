import { joinPath, type ComponentSpec, type Problem, type Sidecar } from '@symphony/model';
import { textForm } from './text-form.js';

/** How one property (or metadata entry) is compared when changes are looked for. */
export interface PropertyRule {
  /** A key, or a pattern in which `*` stands for any characters; it must match the whole key. */
  name: string;
  /** Compare without regard to case. */
  ignoreCase?: boolean;
  /** A value that only one side has is no change. */
  skipIfMissing?: boolean;
  /** No change as long as one value begins with the other. */
  prefixMatch?: boolean;
  /** Compare the names of the components instead of a property. */
  isComponentName?: boolean;
  /**
   * Decides alone when given, for values whose text differs although they mean the same. Called when at least one side
   * has the key. Never serialised.
   */
  same?: (before: unknown, after: unknown) => boolean;
}

/** What a provider demands of a component or a sidecar, and which changes it wants to see. */
export interface ComponentRule {
  requiredType?: string;
  /** Empty or absent: the provider's observations never count as a change. */
  changeDetection?: readonly PropertyRule[];
  changeDetectionMetadata?: readonly PropertyRule[];
  /** Must be there and not be empty. */
  requiredProperties?: readonly string[];
  /** Documentation only. */
  optionalProperties?: readonly string[];
  requiredMetadata?: readonly string[];
  /** Documentation only. */
  optionalMetadata?: readonly string[];
}

/** Symphony's validation rule of a provider, in its JSON shape. */
export interface ValidationRule {
  /** The only component type that the provider takes; any when empty. */
  requiredType?: string;
  componentValidationRule?: ComponentRule;
  sidecarValidationRule?: ComponentRule;
  /** Sidecars are validated and compared; without it they are ignored. */
  allowSidecar?: boolean;
  /** Informational: scopes separate deployments on the target. */
  supportScopes?: boolean;
  /** Informational: instances on the target cannot see each other. */
  instanceIsolation?: boolean;
}

/** Everything that is wrong with a component in the eyes of a provider; paths are relative to the component. */
export function validateComponent(rule: ValidationRule, component: ComponentSpec): Problem[] {
  const own = rule.componentValidationRule ?? {};
  const problems: Problem[] = [];
  for (const wanted of new Set([rule.requiredType, own.requiredType])) {
    const found = component.type ?? '';
    if (wanted && found !== wanted) {
      problems.push({
        path: 'type',
        message: `provider requires component type '${wanted}', but '${found}' is found instead`,
      });
    }
  }
  report(own.requiredProperties, component.properties, 'properties', 'property', problems);
  report(own.requiredMetadata, component.metadata, 'metadata', 'metadata', problems);
  if (rule.allowSidecar) {
    (component.sidecars ?? []).forEach((sidecar, index) => {
      validateSidecar(rule.sidecarValidationRule ?? {}, sidecar, `sidecars[${index}]`, problems);
    });
  }
  return problems;
}

/** The problems of all components; paths begin with `components["<name>"]`. */
export function validate(rule: ValidationRule, components: readonly ComponentSpec[]): Problem[] {
  return components.flatMap((component) =>
    validateComponent(rule, component).map(({ path, message }) => ({
      path: `components[${JSON.stringify(component.name)}].${path}`,
      message,
    })),
  );
}

function validateSidecar(rule: ComponentRule, sidecar: Sidecar, path: string, problems: Problem[]): void {
  if (rule.requiredType && sidecar.type !== rule.requiredType) {
    problems.push({
      path: `${path}.type`,
      message: `provider requires sidecar type '${rule.requiredType}', but '${sidecar.type ?? ''}' is found instead`,
    });
  }
  report(rule.requiredProperties, sidecar.properties, `${path}.properties`, 'sidecar property', problems);
}

function report(
  required: readonly string[] | undefined,
  found: Readonly<Record<string, unknown>> | undefined,
  path: string,
  what: string,
  problems: Problem[],
): void {
  for (const name of required ?? []) {
    const value = found && Object.hasOwn(found, name) ? found[name] : undefined;
    if (value !== undefined && value !== null && textForm(value) !== '') continue;
    problems.push({ path: joinPath(path, name), message: `required ${what} '${name}' is missing` });
  }
}
