export { HealthModule } from './health.module.js';
export { processFaults } from './process-faults.js';
export { type Readiness, type ReadinessCheck, ReadinessRegistry } from './readiness-registry.js';
