import { describe, expect, it } from 'vitest';
import { admit, validate, type ComponentStep, type ValidationRule } from '@symphony/provider-kit';
import type { ComponentSpec } from '@symphony/model';

const rule: ValidationRule = {
  requiredType: 'box',
  allowSidecar: true,
  componentValidationRule: { requiredProperties: ['container.image'], requiredMetadata: ['zone'] },
  sidecarValidationRule: { requiredProperties: ['port'] },
};
const good = (name: string, more: Partial<ComponentSpec> = {}): ComponentSpec => ({
  name,
  type: 'box',
  properties: { 'container.image': 'nginx' },
  metadata: { zone: 'a' },
  ...more,
});
const update = (component: ComponentSpec): ComponentStep => ({ action: 'update', component });

describe('validation', () => {
  it('accepts a component that has all', () => {
    expect(validate(rule, [good('a', { sidecars: [{ name: 's', properties: { port: 0 } }] })])).toEqual([]);
  });

  it('names everything that is missing, with its path', () => {
    const problems = validate(rule, [
      good('fine'),
      { name: 'a', properties: { 'container.image': '' }, sidecars: [{ name: 's' }] },
    ]);
    expect(problems).toEqual([
      {
        path: 'components["a"].type',
        message: "provider requires component type 'box', but '' is found instead",
      },
      {
        path: 'components["a"].properties["container.image"]',
        message: "required property 'container.image' is missing",
      },
      { path: 'components["a"].metadata.zone', message: "required metadata 'zone' is missing" },
      {
        path: 'components["a"].sidecars[0].properties.port',
        message: "required sidecar property 'port' is missing",
      },
    ]);
  });

  it('finds nothing in inherited keys', () => {
    const odd: ValidationRule = { componentValidationRule: { requiredProperties: ['constructor'] } };
    expect(validate(odd, [{ name: 'a', properties: {} }])).toHaveLength(1);
  });
});

describe('admission', () => {
  it('refuses per component, together with what depends on a refused one', () => {
    const { admitted, refused } = admit(rule, [
      update({ name: 'bad', type: 'box' }),
      update(good('leaf', { dependencies: ['bad'] })),
      update(good('leaf-of-leaf', { dependencies: ['leaf'] })),
      update(good('other')),
    ]);
    expect(admitted.map((step) => step.component.name)).toEqual(['other']);
    expect(Object.entries(refused).map(([name, { status }]) => [name, status])).toEqual([
      ['bad', 8003],
      ['leaf', 8001],
      ['leaf-of-leaf', 8001],
    ]);
    expect(refused['bad']?.message).toContain("required property 'container.image' is missing");
  });

  it('never refuses a deletion', () => {
    const step: ComponentStep = { action: 'delete', component: { name: 'bad' } };
    expect(admit(rule, [step])).toEqual({ admitted: [step], refused: {} });
  });
});
