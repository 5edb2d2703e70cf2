import { FreeMap, Many, Text, TextMap, Texts } from '../fields.js';

export class RouteFilter {
  @Text() direction?: string;
  @Text() type?: string;
  @TextMap() parameters?: Record<string, string>;
}

export class Route {
  @Text() route?: string;
  @Text() type?: string;
  @TextMap() properties?: Record<string, string>;
  @Many(() => RouteFilter) filters?: RouteFilter[];
}

export class Sidecar {
  @Text() name?: string;
  @Text() type?: string;
  @FreeMap() properties?: Record<string, unknown>;
}

/** One thing to run. Its `type` selects the provider: the binding of the target whose `role` equals it. */
export class ComponentSpec {
  @Text({ required: true, min: 1, max: 253, description: 'Unique within its list.' })
  name!: string;

  @Text({
    max: 253,
    description: 'The role that a target must offer; empty or `container` means `instance`.',
  })
  type?: string;

  @TextMap() metadata?: Record<string, string>;

  @FreeMap({ description: 'What the provider reads; values may contain ${{ }} expressions.' })
  properties?: Record<string, unknown>;

  @TextMap({ description: 'Read by `$param(key)`; a parameter of the instance with the same key wins.' })
  parameters?: Record<string, string>;

  @Many(() => Route) routes?: Route[];

  @Text({ description: 'An expression; a target gets the component where it is true.' })
  constraints?: string;

  @Texts({ description: 'Names of components that must be there first.' })
  dependencies?: string[];

  @Texts() skills?: string[];
  @Many(() => Sidecar) sidecars?: Sidecar[];
}

/** Symphony's role of a component: its type; `instance` when that is empty or `container`. */
export function roleOf(component: Pick<ComponentSpec, 'type'>): string {
  const type = component.type ?? '';
  return type === '' || type === 'container' ? 'instance' : type;
}
