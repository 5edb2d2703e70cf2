import { CAUSES } from './lanes.js';

const TEXT = { type: 'string' };
const COUNT = { type: 'integer' };
const FLAG = { type: 'boolean' };
const TIME = { type: 'string', format: 'date-time' };

const COMPONENT_RESULT = {
  type: 'object',
  required: ['status', 'message'],
  properties: { status: { type: 'integer', description: "Symphony's state number." }, message: TEXT },
};
const TARGET_RESULT = {
  type: 'object',
  required: ['status'],
  properties: {
    status: { type: 'string', enum: ['OK', 'Target Update Failed', 'Target Delete Failed'] },
    message: TEXT,
    components: { type: 'object', additionalProperties: COMPONENT_RESULT },
  },
};

export const SUMMARY_RESULT_SCHEMA = {
  type: 'object',
  required: ['summary', 'generation', 'time', 'state', 'deploymentHash'],
  properties: {
    summary: {
      type: 'object',
      properties: {
        targetCount: COUNT,
        successCount: COUNT,
        plannedDeployment: COUNT,
        currentDeployed: COUNT,
        targets: { type: 'object', additionalProperties: TARGET_RESULT },
        message: TEXT,
        jobID: TEXT,
        skipped: FLAG,
        isRemoval: FLAG,
        allAssignedDeployed: FLAG,
        removed: FLAG,
      },
    },
    summaryid: TEXT,
    generation: { type: 'string', description: "The object's generation that the summary speaks of." },
    time: TIME,
    state: {
      type: 'integer',
      enum: [0, 1, 2],
      description: '0: an order newer than the last run waits; 1: a run is under way; 2: done.',
    },
    deploymentHash: TEXT,
  },
};

export const ACCEPTED_SCHEMA = {
  type: 'object',
  required: ['result'],
  properties: { result: { type: 'string', example: '200 - instance reconcilation job accepted' } },
};

export const LANE_STATES = ['waiting', 'running', 'suspended', 'idle', 'stalled'] as const;

export const LANE_SCHEMA = {
  type: 'object',
  required: [
    'id',
    'kind',
    'namespace',
    'name',
    'state',
    'generation',
    'action',
    'attempts',
    'orderSeq',
    'doneSeq',
  ],
  properties: {
    id: TEXT,
    kind: { type: 'string', enum: ['Target', 'Instance'] },
    namespace: TEXT,
    name: TEXT,
    state: {
      type: 'string',
      enum: [...LANE_STATES],
      description:
        '`waiting`: a run is due or will be tried again; `suspended`: nothing runs until it is resumed; `idle`: only the next periodic run; `stalled`: waits for a change, `reason` says which.',
    },
    generation: COUNT,
    action: { type: 'string', enum: ['update', 'delete'] },
    cause: { type: 'string', enum: [...CAUSES], description: 'Why the next or present run was ordered.' },
    attempts: { type: 'integer', description: 'Failed runs since the last success or order.' },
    reason: {
      type: 'string',
      description: 'Code of how the last run ended; `Suspended` of a suspended lane.',
    },
    message: { type: 'string', description: 'The same as a sentence that says what to do.' },
    dueAt: TIME,
    runningSince: TIME,
    worker: TEXT,
    orderSeq: { type: 'string', description: 'Number of the newest order.' },
    doneSeq: { type: 'string', description: 'Number of the newest order that has run.' },
  },
};
