import { jobStoreConformance } from '../../support/job-store-conformance.js';
import { openMemoryLanes } from './subject.js';

jobStoreConformance(() => Promise.resolve(openMemoryLanes()));
