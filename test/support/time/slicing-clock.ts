import { FakeClock } from './fake-clock.js'

/** A clock by which time passes whenever somebody looks: work that is cut into slices is cut into short ones. */
export class SlicingClock extends FakeClock {
  /** How many ms pass with each look. */
  step = 0

  override now(): number {
    if (this.step > 0) this.stall(this.step)
    return super.now()
  }
}
