import { BODY_CLASSES, InvalidInputError, NotFoundError, parseAs, type StoredObject } from '@symphony/model';
import { DeploymentError } from '@symphony/planning';

/**
 * Why an object cannot be read as it is stored; undefined when it can. The API server checks what is written, but it keeps
 * what was written under an older or loosened schema.
 */
export function unreadable({ kind, name, spec }: StoredObject): DeploymentError | undefined {
  try {
    parseAs(BODY_CLASSES[kind], { spec });
    return undefined;
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const [first] = error.problems;
    const where = first ? ` ${first.path} ${first.message}.` : '';
    return new DeploymentError('InvalidSpec', `${kind} "${name}":${where}`, error.problems);
  }
}

/** Undefined for what is not there; whatever else goes wrong stays an error. */
export async function unlessMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
