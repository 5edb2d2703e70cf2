import {
  InstanceSpec,
  MAX_LAST_NAME_PART,
  SolutionSpec,
  TargetSpec,
  TextMap,
  VERSION_SEPARATOR,
  type FieldRule,
} from '@symphony/model';
import type { Column, CustomResource } from './custom-resource.js';
import { LedgerSpec, RunHistorySpec } from './records.js';
import { ComponentReportSpec, PostedDeploymentSpec } from './requests.js';
import { ResourceStatus } from './resource-status.js';

const SOLUTION_GROUP = 'solution.symphony';
const FABRIC_GROUP = 'fabric.symphony';
/** What the engine keeps for itself. Symphony has no group of that name. */
const ENGINE_GROUP = 'engine.symphony';

const FOR_PEOPLE = 'symphony';
const FOR_THE_ENGINE = 'symphony-records';

const NAME_LENGTH: FieldRule = {
  cel: `self.metadata.name.matches('^(.*${VERSION_SEPARATOR})?.{1,${MAX_LAST_NAME_PART}}$')`,
  message: `Name length should be between 1 and ${MAX_LAST_NAME_PART} characters (after the last "${VERSION_SEPARATOR}").`,
};

const AGE: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since it was created.',
};

const DEPLOYABLE_COLUMNS: readonly Column[] = [
  {
    name: 'Status',
    type: 'string',
    jsonPath: '.status.status',
    description: 'Reconciling, Deleting, Succeeded or Failed.',
  },
  { name: 'Targets', type: 'integer', jsonPath: '.status.targets', description: 'Targets it is for.' },
  {
    name: 'Deployed',
    type: 'integer',
    jsonPath: '.status.deployed',
    description: 'Components that are deployed.',
  },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: '.status.reason',
    description: 'A stable code: why it is as it is.',
  },
  AGE,
  {
    name: 'Changed',
    type: 'date',
    jsonPath: '.status.lastModified',
    description: 'Time since the status last changed.',
  },
  {
    name: 'Details',
    type: 'string',
    jsonPath: '.status.statusDetails',
    description: 'What to do about it.',
    wide: true,
  },
];

const text = (name: string, jsonPath: string, description: string, wide?: true): Column => ({
  name,
  type: 'string',
  jsonPath,
  description,
  ...(wide ? { wide } : {}),
});

/** Solutions and their containers are stored; nothing is deployed for them. */
class StoredStatus {
  @TextMap() properties?: Record<string, string>;
}

export const TARGETS: CustomResource = {
  group: FABRIC_GROUP,
  kind: 'Target',
  plural: 'targets',
  shortNames: ['tgt'],
  category: FOR_PEOPLE,
  description: 'A place that can run things, with the providers that serve it.',
  spec: TargetSpec,
  specPresence: 'defaulted',
  status: ResourceStatus,
  creationRules: [NAME_LENGTH],
  columns: DEPLOYABLE_COLUMNS,
  selectable: ['.status.status', '.status.reason'],
};

export const SOLUTIONS: CustomResource = {
  group: SOLUTION_GROUP,
  kind: 'Solution',
  plural: 'solutions',
  shortNames: ['soln'],
  category: FOR_PEOPLE,
  description: 'What to run: a list of components.',
  spec: SolutionSpec,
  specPresence: 'defaulted',
  status: StoredStatus,
  creationRules: [NAME_LENGTH],
  columns: [
    text('Root', '.spec.rootResource', 'The container that groups its versions.'),
    text('Version', '.spec.version', 'Its version, where it says one.', true),
    AGE,
  ],
  selectable: ['.spec.rootResource'],
};

export const INSTANCES: CustomResource = {
  group: SOLUTION_GROUP,
  kind: 'Instance',
  plural: 'instances',
  shortNames: ['inst'],
  category: FOR_PEOPLE,
  description: 'A solution on targets: the engine deploys it there and keeps it so.',
  spec: InstanceSpec,
  specPresence: 'required',
  status: ResourceStatus,
  creationRules: [NAME_LENGTH],
  columns: [
    ...DEPLOYABLE_COLUMNS,
    text('Solution', '.spec.solution', 'What is deployed.', true),
    text('Target', '.spec.target.name', 'Where, if it is by name.', true),
  ],
  selectable: ['.spec.solution', '.spec.target.name', '.status.status', '.status.reason'],
};

export const SOLUTION_CONTAINERS: CustomResource = {
  group: SOLUTION_GROUP,
  kind: 'SolutionContainer',
  plural: 'solutioncontainers',
  shortNames: ['solnc'],
  category: FOR_PEOPLE,
  description: 'Groups the versions of a solution. Stored for those who apply it; nothing depends on it.',
  specPresence: 'optional',
  status: StoredStatus,
  creationRules: [NAME_LENGTH],
  columns: [AGE],
  selectable: [],
};

const OWNER_COLUMNS: readonly Column[] = [
  text('Kind', '.spec.owner.kind', 'Kind of the owner.'),
  text('Owner', '.spec.owner.name', 'Name of the owner.'),
];

export const LEDGERS: CustomResource = {
  group: ENGINE_GROUP,
  kind: 'Ledger',
  plural: 'ledgers',
  shortNames: ['ldg'],
  category: FOR_THE_ENGINE,
  description:
    'What the engine has applied for one owner on one target, and so what it has to remove. Do not edit or delete it: what is not in it is never removed.',
  spec: LedgerSpec,
  specPresence: 'required',
  columns: [
    ...OWNER_COLUMNS,
    text('Target', '.spec.targetName', 'The target.'),
    AGE,
    {
      name: 'Epoch',
      type: 'integer',
      jsonPath: '.spec.epoch',
      description: 'Of the claim that wrote last.',
      wide: true,
    },
  ],
  selectable: ['.spec.owner.uid', '.spec.targetUid'],
};

export const RUN_HISTORIES: CustomResource = {
  group: ENGINE_GROUP,
  kind: 'RunHistory',
  plural: 'runhistories',
  shortNames: ['runs'],
  category: FOR_THE_ENGINE,
  description: 'The newest runs of one object, for people. The engine decides nothing by it.',
  spec: RunHistorySpec,
  specPresence: 'required',
  columns: [...OWNER_COLUMNS, AGE],
  selectable: ['.spec.owner.uid'],
};

export const POSTED_DEPLOYMENTS: CustomResource = {
  group: ENGINE_GROUP,
  kind: 'PostedDeployment',
  plural: 'posteddeployments',
  shortNames: ['posted'],
  category: FOR_THE_ENGINE,
  description:
    'A deployment that was posted by REST. Deleting it takes away what was deployed; it goes when that is gone.',
  spec: PostedDeploymentSpec,
  specPresence: 'required',
  columns: [
    text('Instance', '.spec.owner.name', 'The name that it was posted under.'),
    text('Action', '.spec.action', 'update, or delete.'),
    text('Reason', '.spec.last.reason', 'Outcome of the last run.'),
    AGE,
    text('Details', '.spec.last.message', 'What to do about it.', true),
  ],
  selectable: ['.spec.owner.name'],
};

export const COMPONENT_REPORTS: CustomResource = {
  group: ENGINE_GROUP,
  kind: 'ComponentReport',
  plural: 'componentreports',
  shortNames: ['creports'],
  category: FOR_THE_ENGINE,
  description: 'What was reported of a component, on its way into the ledger. It is there for moments only.',
  spec: ComponentReportSpec,
  specPresence: 'required',
  columns: [
    text('Target', '.spec.targetName', 'The target.'),
    text('Component', '.spec.component', 'The component.'),
    text('State', '.spec.state', 'succeeded, or failed.'),
    AGE,
  ],
  selectable: ['.spec.targetUid'],
};

/** Every kind that this engine brings along. */
export const CUSTOM_RESOURCES: readonly CustomResource[] = [
  TARGETS,
  SOLUTIONS,
  INSTANCES,
  SOLUTION_CONTAINERS,
  LEDGERS,
  RUN_HISTORIES,
  POSTED_DEPLOYMENTS,
  COMPONENT_REPORTS,
];
