/** A directed graph over the numbers 0 to n-1: `edges[a]` holds what a waits for. */
export type Edges = readonly (readonly number[])[];

/** The strongly connected component of each node: two nodes wait for each other in a circle iff theirs are equal. */
export function circles(edges: Edges): Int32Array {
  const count = edges.length;
  const found = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const circle = new Int32Array(count).fill(-1);
  const open: number[] = [];
  let time = 0;
  let circleCount = 0;
  const enter = (node: number): void => {
    found[node] = low[node] = time++;
    open.push(node);
  };
  const lower = (node: number, to: number): void => {
    low[node] = Math.min(at(low, node), to);
  };
  const leave = (node: number): void => {
    if (at(low, node) !== at(found, node)) return;
    let member: number | undefined;
    do {
      member = open.pop();
      if (member !== undefined) circle[member] = circleCount;
    } while (member !== undefined && member !== node);
    circleCount++;
  };
  for (let root = 0; root < count; root++) {
    if (at(found, root) >= 0) continue;
    enter(root);
    // Tarjan's algorithm with a stack of its own: dependencies may be thousands deep.
    const path = [{ node: root, next: 0 }];
    for (let frame = path.at(-1); frame; frame = path.at(-1)) {
      const to = edges[frame.node]?.[frame.next++];
      if (to === undefined) {
        leave(frame.node);
        path.pop();
        const parent = path.at(-1);
        if (parent) lower(parent.node, at(low, frame.node));
      } else if (at(found, to) < 0) {
        enter(to);
        path.push({ node: to, next: 0 });
      } else if (at(circle, to) < 0) lower(frame.node, at(found, to));
    }
  }
  return circle;
}

/** All nodes, each after those it waits for; otherwise in the order of their numbers. For graphs without circles. */
export function waitingOrder(edges: Edges): number[] {
  const state = new Uint8Array(edges.length);
  const order: number[] = [];
  for (let root = 0; root < edges.length; root++) {
    if (state[root]) continue;
    state[root] = 1;
    const path = [{ node: root, next: 0 }];
    for (let frame = path.at(-1); frame; frame = path.at(-1)) {
      const to = edges[frame.node]?.[frame.next++];
      if (to === undefined) {
        order.push(frame.node);
        path.pop();
      } else if (!state[to]) {
        state[to] = 1;
        path.push({ node: to, next: 0 });
      }
    }
  }
  return order;
}

function at(list: Int32Array, index: number): number {
  return list[index] ?? -1;
}
