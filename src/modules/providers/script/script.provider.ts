import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { endOf, instanceNameOf, messageOf, type ComponentSpec } from '@symphony/model';
import {
  abortError,
  admit,
  ProviderConfigError,
  ProviderError,
  type ApplyCall,
  type ApplyResults,
  type ComponentStep,
  type GetCall,
  type ProviderCall,
  type TargetProvider,
  type ValidationRule,
} from '@symphony/provider-kit';
import {
  NOT_PERMITTED,
  privateFolder,
  removeRunFiles,
  runProgram,
  type ProcessTracker,
  type ProgramEnd,
} from '../process/index.js';
import type { Operation, ScriptConfig } from './config.js';
import { readOutput, writeExchange, type Exchange } from './exchange.js';
import { locateScript, locateStaging, type Program } from './locate.js';
import { FAILURE, readComponents, readResults } from './output.js';

export interface ScriptSurroundings {
  /** Folders whose scripts may run. */
  allowedFolders: readonly string[];
  /** Where private staging folders are made. */
  stagingRoot: string;
  tracker: ProcessTracker;
  /** Which store the engine serves: owners without a record are told apart by it. */
  store: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** How much of a script's last words an error quotes. */
const QUOTED = 2_000;

/** Hands the components of a step to scripts that do the work: Symphony's script provider. */
export class ScriptProvider implements TargetProvider {
  /** Symphony's: anything goes, and nothing is compared. */
  readonly rule: ValidationRule = { componentValidationRule: {} };

  constructor(
    private readonly config: ScriptConfig,
    private readonly surroundings: ScriptSurroundings,
  ) {}

  async get(call: GetCall): Promise<ComponentSpec[]> {
    const names = new Set(call.references.map((step) => step.component.name));
    const output = await this.run('get', call, call.references, ['-get-output', '-output']);
    return readComponents(output, names, this.nameOf('get'));
  }

  async apply(call: ApplyCall): Promise<ApplyResults> {
    const { admitted, refused } = admit(this.rule, call.steps);
    const results: ApplyResults = { ...refused };
    for (const [operation, action] of [
      ['apply', 'update'],
      ['remove', 'delete'],
    ] as const) {
      const components = componentsOf(admitted, action);
      if (components.length === 0) continue;
      if (call.dryRun) await this.check(operation, call);
      else Object.assign(results, await this.change(operation, call, components));
    }
    return results;
  }

  private async change(
    operation: 'apply' | 'remove',
    call: ApplyCall,
    components: readonly ComponentSpec[],
  ): Promise<ApplyResults> {
    const output = await this.run(operation, call, components, ['-output']);
    const names = components.map((component) => component.name);
    return readResults(output, names, FAILURE[operation], redactorOf(call), this.nameOf(operation));
  }

  /** Everything that can be found wrong without running the script. */
  private async check(operation: Operation, call: ApplyCall): Promise<void> {
    await this.locate(operation, call);
    const { staging } = this.config;
    if (staging !== undefined) await locateStaging(staging, this.surroundings.allowedFolders);
  }

  private async locate(operation: Operation, call: ProviderCall): Promise<Program> {
    if (call.signal.aborted) throw abortError(call.signal, this.nameOf(operation));
    return locateScript(this.config, operation, this.surroundings.allowedFolders);
  }

  /** Runs a script and returns what it wrote, decoded. The files are gone afterwards, whatever happened. */
  private async run(
    operation: Operation,
    call: ProviderCall,
    references: unknown,
    outputs: readonly string[],
  ): Promise<unknown> {
    const { stagingRoot, tracker } = this.surroundings;
    const program = await this.locate(operation, call);
    const marker = randomUUID();
    const folder = await this.stagingFolder(marker);
    const subject = call.exclusive ? this.subjectOf(call) : undefined;
    if (subject !== undefined) await this.endEarlier(subject, operation, call);
    // The trace goes last: until then somebody may have to end the script and remove its files in our place.
    const { permit } = await tracker.starting({
      marker,
      folder,
      ...(subject === undefined ? {} : { subject }),
    });
    try {
      const exchange = await writeExchange(folder, marker, { deployment: call.deployment, references });
      return await this.execute(operation, call, { ...program, permit }, exchange, outputs);
    } finally {
      await removeRunFiles(stagingRoot, folder, marker);
      await tracker.ended(marker);
    }
  }

  /**
   * The run has its owner for itself, so what another engine still runs for it here is the rest of a run whose lane was
   * taken over: its engine was killed, stands still, or has not noticed yet.
   */
  private async endEarlier(subject: string, operation: Operation, call: ProviderCall): Promise<void> {
    const { survived, problems } = await this.surroundings.tracker
      .endEarlier(subject, call.signal)
      .catch((error: unknown) => {
        throw call.signal.aborted ? abortError(call.signal, this.nameOf(operation)) : error;
      });
    if (survived.length > 0) problems.push(`Processes ${survived.join(', ')} do not end.`);
    if (problems.length === 0) return;
    throw new ProviderError(
      'ProviderFailed',
      `${this.nameOf(operation)} was not started, because one that another engine started for the same owner may still run: ${problems.join(' ')}`,
    );
  }

  /** Uids of records are unique everywhere; names of posted deployments are so within one store. */
  private subjectOf({ owner: { uid } }: ProviderCall): string {
    return UUID.test(uid) ? uid : `${this.surroundings.store} ${uid}`;
  }

  private async execute(
    operation: Operation,
    call: ProviderCall,
    program: Program & { permit: string },
    exchange: Exchange,
    outputs: readonly string[],
  ): Promise<unknown> {
    const label = this.nameOf(operation);
    const end = await runProgram({
      ...program,
      args: [...program.args, exchange.deployment, exchange.references],
      env: environmentOf(operation, call),
      signal: call.signal,
      marker: exchange.marker,
      tracker: this.surroundings.tracker,
      label,
    }).catch((error: unknown) => {
      throw isSystemError(error) ? notExecutable(label, error) : error;
    });
    demandSuccess(end, label, redactorOf(call));
    return readOutput(exchange, outputs, label);
  }

  private async stagingFolder(marker: string): Promise<string> {
    const { allowedFolders, stagingRoot } = this.surroundings;
    if (this.config.staging !== undefined) return locateStaging(this.config.staging, allowedFolders);
    try {
      await privateFolder(stagingRoot);
    } catch (cause) {
      throw new ProviderError('ProviderFailed', messageOf(cause), undefined, { cause });
    }
    return join(stagingRoot, marker);
  }

  private nameOf(operation: Operation): string {
    return `The script '${this.config.scripts[operation]}'`;
  }
}

function componentsOf(steps: readonly ComponentStep[], action: ComponentStep['action']): ComponentSpec[] {
  return steps.filter((step) => step.action === action).map((step) => step.component);
}

function redactorOf(call: ProviderCall): (text: string) => string {
  return call.redact ?? ((text) => text);
}

/** Nothing of the engine's own environment but what programs need to work; hints about the call. */
function environmentOf(operation: Operation, call: ProviderCall): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    SYMPHONY_OPERATION: operation,
    SYMPHONY_TARGET: call.target.name,
    SYMPHONY_INSTANCE: instanceNameOf(call.owner),
    SYMPHONY_NAMESPACE: call.owner.namespace,
    SYMPHONY_OWNER_UID: call.owner.uid,
    SYMPHONY_SCOPE: call.scope,
    SYMPHONY_ROLE: call.role,
  };
  for (const name of [
    'HOME',
    'LANG',
    'TMPDIR',
    ...(process.platform === 'win32' ? ['SystemRoot', 'TEMP'] : []),
  ]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

function demandSuccess(end: ProgramEnd, label: string, redact: (text: string) => string): void {
  if (end.code === 0) return;
  if (end.code === NOT_PERMITTED && end.stdout === '' && end.stderr === '') {
    throw new ProviderError(
      'ProviderFailed',
      `${label} was not started: another engine took over meanwhile. (Or it ended with exit code ${NOT_PERMITTED} and no word.)`,
    );
  }
  const words = lastWords(end, redact);
  // setpriv stands between us and the script; what it says when it cannot start it is a matter of the configuration.
  if ((end.code === 126 || end.code === 127) && words.startsWith('setpriv:')) {
    throw notExecutable(label, undefined);
  }
  const how =
    end.code === null ? `was ended by ${end.signal ?? 'a signal'}` : `ended with exit code ${end.code}`;
  throw new ProviderError('ProviderFailed', `${label} ${how}${words === '' ? '.' : `: ${words}`}`);
}

/** Redacted as a whole before it is cut, so that no part of a secret is left at the cut. */
function lastWords(end: ProgramEnd, redact: (text: string) => string): string {
  const text = end.stderr.trim() === '' ? end.stdout : end.stderr;
  return endOf(redact(text).trim(), QUOTED);
}

function notExecutable(label: string, cause: unknown): ProviderConfigError {
  return new ProviderConfigError(
    `${label} cannot be executed. It needs a first line such as #!/bin/sh that names an interpreter of ` +
      'this machine.',
    { cause },
  );
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
