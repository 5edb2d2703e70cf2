import type { RegistryLogin } from './config.js';
import type { Declaration } from './declaration.js';
import { EngineError } from './engine/connection.js';
import type { DockerEngine } from './engine/engine.js';
import { parseImage } from './image-reference.js';

/**
 * Sees to it that the engine has the image, by the component's pull policy.
 * @returns the id of the image
 * @throws EngineError whose message says what to do, ProviderError
 */
export async function provideImage(
  engine: DockerEngine,
  { image, pull }: Pick<Declaration, 'image' | 'pull'>,
  login: RegistryLogin | undefined,
  signal: AbortSignal,
): Promise<string> {
  const local = pull === 'Always' ? undefined : await engine.imageId(image, signal);
  if (local !== undefined) return local;
  if (pull === 'Never') {
    throw new EngineError(
      404,
      `The engine does not have the image ${image}, and container.imagePullPolicy is Never.`,
    );
  }
  const reference = parseImage(image);
  if (!reference) throw new EngineError(400, `${image} is not the name of an image.`);
  try {
    const tag = reference.digest ?? reference.tag ?? 'latest';
    await engine.pull(reference.name, tag, loginHeader(reference.registry, login), signal);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // Somebody may have made it here meanwhile.
    const made = pull === 'IfNotPresent' ? await engine.imageId(image, signal) : undefined;
    if (made !== undefined) return made;
    throw new EngineError(error.status, `The image ${image} could not be pulled: ${error.message}`);
  }
  const pulled = await engine.imageId(image, signal);
  if (pulled !== undefined) return pulled;
  throw new EngineError(404, `The image ${image} was pulled, but the engine does not have it.`);
}

function loginHeader(registry: string, login: RegistryLogin | undefined): string | undefined {
  if (!login || registry !== login.server) return undefined;
  const { username, password, server } = login;
  const text = JSON.stringify({ username, password, serveraddress: server });
  // With the padding, which Node's base64url leaves out and the engine silently insists on.
  return Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
