import type { ComponentSpec } from '@symphony/model';
import { DeploymentError } from './errors.js';

/**
 * The components, each after those it depends on; otherwise in the given order.
 * @throws DeploymentError `DependencyUnknown` or `DependencyCycle` (naming the path).
 */
export function sortByDependencies(components: readonly ComponentSpec[]): ComponentSpec[] {
  const byName = new Map(components.map((component) => [component.name, component]));
  const waitsFor = new Map<string, Set<string>>();
  const dependents = new Map<string, ComponentSpec[]>();
  for (const component of components) {
    // A set: a dependency that is listed twice is still one.
    const dependencies = new Set(component.dependencies);
    waitsFor.set(component.name, dependencies);
    for (const dependency of dependencies) {
      if (!byName.has(dependency)) throw unknownDependency(components, component, dependency);
      const list = dependents.get(dependency);
      if (list) list.push(component);
      else dependents.set(dependency, [component]);
    }
  }
  const sorted = components.filter((component) => waitsFor.get(component.name)?.size === 0);
  // `sorted` grows while it is walked: it is also the queue.
  for (const component of sorted) {
    for (const dependent of dependents.get(component.name) ?? []) {
      const open = waitsFor.get(dependent.name);
      open?.delete(component.name);
      if (open?.size === 0) sorted.push(dependent);
    }
  }
  if (sorted.length < components.length) throw cycle(waitsFor);
  return sorted;
}

function unknownDependency(
  components: readonly ComponentSpec[],
  component: ComponentSpec,
  dependency: string,
): DeploymentError {
  const at = `components[${components.indexOf(component)}].dependencies`;
  return new DeploymentError(
    'DependencyUnknown',
    `Component ${JSON.stringify(component.name)} depends on ${JSON.stringify(dependency)}, which is not there.`,
    [{ path: at, message: `there is no component ${JSON.stringify(dependency)}` }],
  );
}

/** Every component that still waits leads to a circle: follow first open dependencies until one comes again. */
function cycle(waitsFor: ReadonlyMap<string, ReadonlySet<string>>): DeploymentError {
  const walked: string[] = [];
  let at = [...waitsFor].find(([, open]) => open.size > 0)?.[0];
  while (at !== undefined && !walked.includes(at)) {
    walked.push(at);
    at = [...(waitsFor.get(at) ?? [])][0];
  }
  const path = at === undefined ? walked : [...walked.slice(walked.indexOf(at)), at];
  return new DeploymentError('DependencyCycle', `The dependencies run in a circle: ${path.join(' -> ')}.`);
}
