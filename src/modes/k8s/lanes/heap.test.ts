import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from './heap.js';

interface Item {
  slot: number;
  due: number;
}

test('whatever is pushed and removed, the first is always the least of those that are in', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('push', 'pop', 'remove'), fc.nat(20)), { maxLength: 80 });
  fc.assert(
    fc.property(steps, (sequence) => {
      const heap = new Heap<Item>((a, b) => a.due < b.due);
      const model: Item[] = [];
      const drop = (item: Item | undefined): void => {
        if (item) model.splice(model.indexOf(item), 1);
      };
      for (const [what, number] of sequence) {
        if (what === 'push') {
          const item = { slot: -1, due: number };
          heap.push(item);
          model.push(item);
        } else if (what === 'pop') {
          const item = heap.pop();
          expect(item?.due).toBe(model.length > 0 ? Math.min(...model.map(({ due }) => due)) : undefined);
          drop(item);
        } else {
          const item = model[number % Math.max(1, model.length)];
          if (item) heap.remove(item);
          drop(item);
        }
        expect(heap.size).toBe(model.length);
        expect(heap.peek()?.due ?? Infinity).toBe(Math.min(...model.map(({ due }) => due)));
      }
      const rest = Array.from({ length: model.length }, () => heap.pop()?.due);
      expect(rest).toEqual(model.map(({ due }) => due).toSorted((a, b) => a - b));
    }),
    { numRuns: 300 },
  );
});
