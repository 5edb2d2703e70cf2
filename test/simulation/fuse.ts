/** What a dead engine waits for. */
const NEVER = new Promise<never>(() => undefined);

/**
 * Ends an engine at one numbered point: from there on nothing that it calls is done, and nothing that was under way is
 * answered, as if its process had been killed.
 */
export class Fuse {
  /** The points that were passed, in order. */
  readonly passed: string[] = [];
  /** Resolves when it has blown. */
  readonly blown: Promise<void>;
  #blow: () => void = () => undefined;
  #dead = false;

  /** @param at number of the point at which it blows, from 1; undefined: never */
  constructor(private readonly at: number | undefined) {
    this.blown = new Promise((resolve) => {
      this.#blow = resolve;
    });
  }

  get isBlown(): boolean {
    return this.#dead;
  }

  /** Where it blew. */
  get where(): string | undefined {
    return this.#dead ? this.passed.at(-1) : undefined;
  }

  /** Kills the engine here, whatever its number. */
  end(): void {
    this.#dead = true;
    this.#blow();
  }

  /**
   * The same object with each of its methods guarded.
   * @param counted methods that are worth two points, before and after
   * @param effective methods that are worth a point after them, when what they answered says that something was done
   */
  guard<T extends object>(
    port: T,
    counted: readonly string[],
    effective: Record<string, (answer: unknown) => boolean> = {},
  ): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function' || name === 'onWake') return bound(member, target);
        return async (...args: unknown[]) => {
          const method = String(name);
          if (counted.includes(method)) await this.#point(`before ${method}`);
          if (this.#dead) return NEVER;
          const answer: unknown = await Reflect.apply(member, target, args);
          const after = counted.includes(method) || effective[method]?.(answer) === true;
          if (after) await this.#point(`after ${method}`);
          return this.#dead ? NEVER : answer;
        };
      },
    });
  }

  async #point(name: string): Promise<void> {
    if (this.#dead) return NEVER;
    this.passed.push(name);
    if (this.passed.length !== this.at) return;
    this.end();
    await NEVER;
  }
}

function bound(member: unknown, target: object): unknown {
  return typeof member === 'function' ? (member.bind(target) as unknown) : member;
}
