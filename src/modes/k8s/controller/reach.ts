import { AccessError } from '@symphony/model';
import { listAll, type ApiClient, type KubeObject } from '../client/index.js';
import { LEDGER_TYPE, type LedgerObject } from '../ledger/ledger-object.js';
import type { ChangeHandler } from '../reflector/index.js';

/** What is seen of one type of objects. */
interface Picture {
  /** @throws AccessError while it may not be listed */
  whenSynced(of: { namespace: string | undefined; signal: AbortSignal }): Promise<void>;
  follows(namespace: string): boolean;
  /** Why it does not hear of changes there at this moment. */
  problemIn(namespace: string | undefined): Error | undefined;
}

export interface ReachParts {
  client: ApiClient;
  /** All that decisions are made from: without one of them nothing is decided. Asked for when a term begins. */
  pictures: () => readonly Picture[];
  ledgers: { seen(ledger: LedgerObject): void };
  /** Those that are served; undefined: all, which are in reach together or not at all. */
  namespaces: readonly string[] | undefined;
  /** How long a survey waits silently, in milliseconds. Default: {@link LATE_MS}. */
  lateMs?: number;
}

const LATE_MS = 30_000;

/** A served namespace in which the engine has no rights, with the words of the API server. */
export interface OutOfReach {
  namespace: string;
  error: AccessError;
}

/** A namespace that holds a survey up. */
export interface LateNamespace {
  /** Undefined stands for all. */
  namespace: string | undefined;
  /** What its lists met; undefined while the server has not answered. */
  problem: string | undefined;
}

/**
 * In which of the served namespaces this process decides. Objects refer to nothing outside of their namespace, so that each is
 * decided by itself: but only when all that is decided from is known of it. Instances without their ledgers would be deployed once
 * more. One that may not be read is out of reach for the whole term, whatever is seen of it meanwhile; the others go on.
 */
export class Reach {
  #outside: ReadonlySet<string> = new Set();

  constructor(private readonly parts: ReachParts) {}

  /** Whether anything may be decided about what is in that namespace. */
  has(namespace: string | undefined): boolean {
    return namespace === undefined || !this.#outside.has(namespace);
  }

  /** What of a picture is in reach. */
  within<T extends KubeObject>(picture: {
    list(): T[];
    onChange(handler: ChangeHandler<T>): () => void;
  }): typeof picture {
    return {
      list: () => picture.list().filter(({ metadata }) => this.has(metadata.namespace)),
      onChange: (handler) =>
        picture.onChange((change) => {
          if (this.has(change.key.namespace)) handler(change);
        }),
    };
  }

  /** The served namespaces that are in reach; undefined stands for all. */
  get namespaces(): readonly (string | undefined)[] {
    return this.#served.filter((namespace) => this.has(namespace));
  }

  /**
   * At the beginning of a term: waits until all that decisions are made from is known, where that is allowed. Ledgers are read anew:
   * what another leader wrote last decides what is there. A server that fails is no missing right: it is waited for.
   * @param late told, again and again, which namespaces take long
   * @returns what is out of reach for this term
   * @throws AccessError when that is all; the signal's reason; what else a list of ledgers met
   */
  async survey(
    signal: AbortSignal,
    late: (namespaces: LateNamespace[]) => void = () => undefined,
  ): Promise<OutOfReach[]> {
    const reading = new Set(this.#served);
    const tell = (): void =>
      late([...reading].map((namespace) => ({ namespace, problem: this.#problemIn(namespace) })));
    const timer = setInterval(tell, this.parts.lateMs ?? LATE_MS).unref();
    const read = async (namespace: string | undefined): Promise<AccessError | undefined> => {
      const refusal = await this.#read(namespace, signal);
      reading.delete(namespace);
      return refusal;
    };
    const refusals = await Promise.all(this.#served.map(read)).finally(() => clearInterval(timer));
    signal.throwIfAborted();
    const [refusal] = refusals;
    if (refusal && refusals.every((each) => each !== undefined)) throw refusal;
    const outside = this.#served.flatMap((namespace, index): OutOfReach[] => {
      const error = refusals[index];
      return error && namespace !== undefined ? [{ namespace, error }] : [];
    });
    this.#outside = new Set(outside.map(({ namespace }) => namespace));
    return outside;
  }

  /** A namespace that was out of reach at the beginning of the term, and is not any more. Never rejects. */
  async gained(signal: AbortSignal): Promise<string | undefined> {
    for (const namespace of this.#outside) {
      if (await this.#isThere(namespace, signal)) return namespace;
    }
    return undefined;
  }

  get #served(): readonly (string | undefined)[] {
    return this.parts.namespaces ?? [undefined];
  }

  /** @returns why it may not be read */
  async #read(namespace: string | undefined, signal: AbortSignal): Promise<AccessError | undefined> {
    const { client, pictures, ledgers } = this.parts;
    try {
      await Promise.all(pictures().map((picture) => picture.whenSynced({ namespace, signal })));
      // What was seen before the right to it was taken away is an old picture.
      for (const picture of pictures()) {
        const problem = picture.problemIn(namespace);
        if (problem instanceof AccessError) throw problem;
      }
      const { items } = await listAll(client, LEDGER_TYPE, { namespace, signal });
      for (const item of items) ledgers.seen(item);
      return undefined;
    } catch (error) {
      if (error instanceof AccessError) return error;
      throw error;
    }
  }

  #problemIn(namespace: string | undefined): string | undefined {
    const problems = this.parts.pictures().flatMap((picture) => picture.problemIn(namespace)?.message ?? []);
    return problems.length > 0 ? [...new Set(problems)].join('; ') : undefined;
  }

  /** Also listing is tried: a new term that finds it out of reach once more would be for nothing. */
  async #isThere(namespace: string, signal: AbortSignal): Promise<boolean> {
    const { client, pictures } = this.parts;
    if (!pictures().every((picture) => picture.follows(namespace))) return false;
    try {
      await client.list(LEDGER_TYPE, { namespace, signal, limit: 1 });
      return true;
    } catch {
      return false;
    }
  }
}
