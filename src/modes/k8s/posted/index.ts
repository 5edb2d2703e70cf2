export { POSTED_FINALIZER, POSTED_TYPE, type PostedObject } from './posted-object.js';
export { PostedLanes } from './posted-lanes.js';
export { PostedRecords } from './posted-records.js';
export { refusedPosted } from './refused-posted.js';
export { PostedSummaries, summaryIndexOf } from './posted-summaries.js';
