export { Metrics, type CounterMetric } from './metrics.js';
export { MetricsModule } from './metrics.module.js';
export {
  type DueFigure,
  type LaneFigure,
  type PoolFigures,
  type StoreFigures,
  StoreFiguresReader,
} from './store-figures.js';
